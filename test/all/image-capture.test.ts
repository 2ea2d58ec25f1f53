import { expect } from "vitest";
import { manifestBytes, parseManifest } from "../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { InstalledHost } from "../lab/installed-host.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const GOLDEN = "golden:1";
const SECRET = "hunter2-of-the-first-host";

/** What somebody puts on a host that is to be many; perl, which any Debian has, sets attributes. */
const WORK = `set -eu
useradd --create-home --shell /bin/bash alice
mkdir -p /opt/shop/bin /opt/shop/share
printf '#!/bin/sh\\necho shop\\n' > /opt/shop/bin/shop
chmod 4755 /opt/shop/bin/shop
ln /opt/shop/bin/shop /opt/shop/bin/shop-too
ln -s ../bin/shop /opt/shop/share/link
head -c 5000000 /dev/urandom > /opt/shop/share/data
chown -R alice: /opt/shop/share
perl -e '($f, $n, $v) = ("/opt/shop/share/data", "user.origin", "lab"); syscall(188, $f, $n, $v, 3, 0) == 0 or die $!'
mkdir -m 700 /home/alice/.ssh
echo 'ssh-ed25519 AAAA alice@desk' > /home/alice/.ssh/authorized_keys
chown -R alice: /home/alice/.ssh`;

/** Each of these files must be on the host before it is captured, and in no image. */
const SECRETS = [
  "etc/ssl/private/shop.key",
  "home/alice/.ssh/id_ed25519",
  "home/alice/.bash_history",
  "root/.bash_history",
  "var/lib/dhcp/dhclient.eth0.leases",
  "var/log/shop.log",
  "var/lib/systemd/random-seed",
  "tmp/left-over",
];
/** What an installation makes for one machine alone. */
const ITS_OWN = ["etc/machine-id", "etc/hostname", "etc/fstab", "etc/ssh/ssh_host_ed25519_key", "boot/slot.cfg"];
const LEAVE_SECRETS = `set -eu
for file in ${SECRETS.map((path) => `/${path}`).join(" ")}; do
  mkdir -p "$(dirname "$file")"; echo '${SECRET}' > "$file"
done`;

/** One line each: what must be no other machine's. */
const IDENTITY = "hostname; cat /etc/machine-id; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub";
/** What WORK leaves, as it is seen on a host. */
const SEEN = `set -e
id alice; getent passwd alice; stat -c '%a %U %h %n' /opt/shop/bin/shop /opt/shop/share/data; readlink /opt/shop/share/link
sha256sum /opt/shop/share/data; /opt/shop/bin/shop-too; cat /home/alice/.ssh/authorized_keys
perl -e '($f, $n, $v) = ("/opt/shop/share/data", "user.origin", "." x 9); print substr($v, 0, syscall(191, $f, $n, $v, 9)), "\\n"'`;

async function entriesOf(rack: InstallRack, name: string): Promise<ReadonlyMap<string, ManifestEntry>> {
  const pieces: Uint8Array[] = [];
  let digest = "";
  for await (const { message } of rack.hps.images.getManifest({ cluster: "lab", name })) {
    if (message.case === "image") digest = message.value.source?.manifest?.digest ?? "";
    if (message.case === "manifest") pieces.push(message.value);
  }
  const { entries } = parseManifest(manifestBytes(Buffer.concat(pieces), digest));
  return new Map(entries.map((entry) => [entry.path, entry]));
}

async function expectScrubbed(rack: InstallRack): Promise<void> {
  const entries = await entriesOf(rack, GOLDEN);
  const left = [...SECRETS, ...ITS_OWN].filter((path) => entries.has(path));
  expect(left, "of the first host alone, and in the image").toEqual([]);
  const logs = [...entries.values()].filter(({ path, type }) => path.startsWith("var/log/") && type !== "directory");
  expect(logs.map(({ path }) => path)).toEqual([]);
  const own = [...entries.keys()].filter((path) => /^(var\/lib\/hps|etc\/systemd\/system\/hps-agent)/.test(path));
  expect(own.filter((path) => path !== "var/lib/hps")).toEqual([]);
  const xattrs = entries.get("opt/shop/share/data")?.xattrs.map(({ name, value }) => [String(name), String(value)]);
  expect(xattrs).toEqual([["user.origin", "lab"]]);
}

/** Installs a machine with this image; what it is and what is seen on it, when its system runs. */
async function comesUp(rack: InstallRack, name: string, mac: string, then?: (host: InstalledHost) => Promise<void>) {
  const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
  await using host = await InstalledHost.install(rack, { name, firmware: "bios", disks, nics: [{ mac }] });
  await host.isUp();
  await then?.(host);
  const lines = async (command: string) => (await host.shell(command)).trim().split(/\r?\n/);
  return { identity: await lines(IDENTITY), seen: await lines(SEEN) };
}

scenario("image-capture", async () => {
  await using rack = await startInstallRack();
  const first = await comesUp(rack, "cap01", "52:54:00:00:0f:01", async (host) => {
    await host.shell(WORK);
    await host.shell(LEAVE_SECRETS);
    await host.shell([...SECRETS, ...ITS_OWN].map((path) => `test -s /${path}`).join(" && "));
    const captured = await rack.follow(["image", "capture", "cap01", GOLDEN]);
    expect(await captured.ended, captured.output()).toBe(0);
    process.stderr.write(`${captured.output()}\n`);
    expect(captured.output()).toMatch(/left out: private keys and credentials \(\d+\)/);
  });
  await expectScrubbed(rack);

  const second = await comesUp({ ...rack, image: GOLDEN }, "cap02", "52:54:00:00:0f:02", async (host) => {
    expect((await host.shell(`grep -rl '${SECRET}' /etc /home /root /var /opt /tmp || true`)).trim()).toBe("");
  });
  expect(second.seen).toEqual(first.seen);
  expect(second.seen).toContain("lab");
  expect([first.identity[0], second.identity[0]]).toEqual(["cap01", "cap02"]);
  for (const [at, own] of second.identity.entries()) {
    expect(own).not.toBe("");
    expect(own).not.toBe(first.identity[at]);
  }
});
