import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { parseKeySet } from "../../proto/image/key-set.ts";
import { diskDigest } from "../lab/disk-digest.ts";
import { Documented } from "../lab/documented.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { InstalledHost } from "../lab/installed-host.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const NAME = "web01";
const PASSPHRASE = "correct horse battery staple\n";
/** From power-on to the installer's shell, usually; and from one word to the next. */
const SHELL_SECONDS = 90;
const WORD_SECONDS = 20;

/** A key pair as the page has them made, `NAME.key` and `NAME.pub`. */
async function makeKey(docs: Documented, name: string): Promise<void> {
  const instead = { image: name };
  await docs.must("openssl genpkey -algorithm ed25519 -aes-256-cbc -out image.key", {
    instead,
    typed: PASSPHRASE.repeat(2),
  });
  await docs.must("openssl pkey -in image.key -pubout -out image.pub", { instead, typed: PASSPHRASE });
}

/** Signs the rack's image, as the page says, with this key. */
async function sign(rack: InstallRack, docs: Documented, key: string): Promise<void> {
  const { stdout } = await rack.hpsctl("image", "get", rack.image, "-o", "json");
  const digest = `sha256:${JSON.parse(stdout).source.manifest.digest}`;
  await docs.must("hpsctl image sign debian/web:12.1 --key image.key --digest sha256:0123…", {
    instead: { "debian/web:12.1": rack.image, "image.key": `${key}.key`, "sha256:0123…": digest },
    more: "--passphrase-file passphrase",
  });
}

/** Without a signature hpsd arms no host of the cluster. */
async function expectNotArmed(rack: InstallRack): Promise<void> {
  expect((await rack.hpsctl("host", "add", "other01", "--mac", "52:54:00:00:0d:02")).code).toBe(0);
  const { code, stderr } = await rack.hpsctl("install", "other01", "--image", rack.image);
  expect(stderr).toMatch(/debian\/lab:1 bears no signature.*\nhint: .*hpsctl image sign/s);
  expect(code).toBe(7);
}

/** Arms the host anew, with leave to wipe, and has it refuse, on the console and to the operator, with its disk as it was. */
async function expectRefused(rack: InstallRack, docs: Documented, { vm }: InstalledHost, why: RegExp): Promise<void> {
  const before = await diskDigest(vm.diskFile(0));
  const from = vm.console.mark();
  const { program } = await rack.arm(NAME, "--wipe", "--yes");
  const installation = await FollowedInstallation.newest(rack, vm);
  await vm.powerOn();
  expect(await installation.becomes(InstallationState.FAILED)).toMatch(why);
  const wait = await limit(WORD_SECONDS);
  await vm.console.waitFor(/STOPPED in step storage: the system on this disk believes other keys/, wait, from);
  await vm.console.waitFor(/wipe the disk by hand: hpsctl host rescue/, wait, from);
  await program.waitFor(/believes other keys/, wait);
  const { stdout } = await rack.hpsctl("installation", "get", NAME);
  expect(`${program.output()}\n${stdout}`).toMatch(/wipe the disk by hand: hpsctl host rescue/);
  await vm.cutPower();
  await program.stop();
  expect(await diskDigest(vm.diskFile(0)), "the disk was written to").toBe(before);
  await docs.must("hpsctl installation cancel web01 --yes");
}

/** Whoever can write hpsd's store takes away all that asks for signatures. */
async function forgetKeys(rack: InstallRack): Promise<void> {
  await rack.hpsd().stop();
  const store = new Database(join(rack.folder, "state", "hpsd.db"));
  store.exec("DELETE FROM image_key_set; DELETE FROM image_signature");
  store.close();
  await rack.restart("SIGTERM");
}

/** The way out that the page has: a shell, and `wipefs`. Gives the installation that the disk takes then. */
async function wipeByHand(rack: InstallRack, docs: Documented, { vm }: InstalledHost): Promise<FollowedInstallation> {
  const [, ...words] = docs.command("hpsctl host rescue web01 --watch").split(" ");
  const rescue = await rack.follow(words);
  await rescue.waitFor(/power it on, to boot from the network/);
  await vm.powerOn();
  await rescue.waitFor(/the shell is there: hpsctl installer-shell/, await limit(SHELL_SECONDS));
  await rescue.stop("SIGINT");
  await docs.must("hpsctl installer-shell web01 -- wipefs --all /dev/sda", { instead: { "/dev/sda": "/dev/vda" } });
  await docs.must("hpsctl installation cancel web01 --yes");
  await vm.cutPower();
  const image = { "debian/web:12.1": rack.image };
  await docs.must("hpsctl install web01 --image debian/web:12.1 --wipe", { instead: image, more: "--yes" });
  await vm.powerOn();
  return await FollowedInstallation.newest(rack, vm);
}

scenario("image-signed", async () => {
  await using rack = await startInstallRack();
  const docs = await Documented.open(rack, "docs/image-signatures.md");
  await writeFile(join(docs.folder, "passphrase"), PASSPHRASE, { mode: 0o600 });
  for (const key of ["image", "second"]) await makeKey(docs, key);
  await docs.must("hpsctl cluster set-keys lab image.pub", { more: "--yes" });
  await expectNotArmed(rack);

  await sign(rack, docs, "image");
  const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
  const nics = [{ mac: "52:54:00:00:0d:01" }];
  await using host = await InstalledHost.install(rack, { name: NAME, firmware: "bios", disks, nics });
  await host.vm.console.waitFor(/the image debian\/lab:1 was signed at \S+ by "image", key set 1/, 1);
  const kept = parseKeySet(Buffer.from(await host.shell("cat /var/lib/hps/image-keys"), "base64"));
  expect(kept).toMatchObject({ cluster: "lab", serial: 1, keys: [{ label: "image" }] });
  await host.switchOff();

  const other = ["cluster", "set-keys", "lab", join(docs.folder, "second.pub"), "--without-old-key", "--yes"];
  expect((await rack.hpsctl(...other)).code).toBe(0);
  await sign(rack, docs, "second");
  await expectRefused(rack, docs, host, /believes other keys: key set 2 .* bears no signature/);

  await forgetKeys(rack);
  await expectRefused(rack, docs, host, /believes other keys: hpsd names no keys, but key set 1/);

  const wiped = await wipeByHand(rack, docs, host);
  await wiped.starts("image");
});
