import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { expect, test } from "vitest";
import { startInstallRack } from "../lab/install-rack.ts";
import { labFolder } from "../lab/janitor.ts";
import { must } from "../lab/run.ts";
import { limit } from "../lab/vm/calibrate.ts";

const GIB = 1024 ** 3;
/** From power-on to the step storage. */
const STORAGE_SECONDS = 120;
const PATIENCE = 60 * 60_000;
const WAITS_FOR_OPERATOR = 7;
const NOT_IN_THIS_STATE = 7;

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** A disk somebody uses: a file system over all of it, with a file. */
async function makeDataDisk(file: string): Promise<void> {
  const content = join(await labFolder(), "content");
  await mkdir(content);
  await writeFile(join(content, "ledger"), "the only copy\n");
  await must(["mkfs.ext4", "-q", "-L", "accounts", "-d", content, file, "8G"]);
}

test("what must not be written is refused in words, and keeps every byte: no choice among disks, data, too small", {
  timeout: PATIENCE,
}, async () => {
  const data = join(await labFolder(), "data-disk");
  await makeDataDisk(data);
  const before = await digestOf(data);
  await using rack = await startInstallRack();
  await using vm = await rack.addMachine({
    name: "web01",
    firmware: "bios",
    disks: [
      { bus: "virtio", file: data, serial: "accounts" },
      { bus: "virtio", bytes: 2 * GIB, serial: "tiny" },
    ],
    nics: [{ mac: "52:54:00:00:04:01" }],
  });
  const wait = await limit(STORAGE_SECONDS);
  const refused = async (words: readonly string[], why: RegExp) => {
    const installing = await rack.arm("web01", "--root-size", "2GiB", ...words);
    if (vm.isOn) await vm.reset();
    else await vm.powerOn();
    expect(await installing.end(wait), installing.program.output()).toBe(WAITS_FOR_OPERATOR);
    expect(installing.program.output()).toMatch(why);
    const cancel = await rack.hpsctl("installation", "cancel", "web01", "--yes");
    expect(cancel.code, cancel.stderr).toBe(0);
  };
  await refused([], /accounts[\s\S]*tiny|tiny[\s\S]*accounts/);
  await refused(["--disk", "serial=accounts"], /holds data: .*ext4/);
  await refused(["--disk", "serial=tiny"], /too small/);
  await vm.cutPower();
  expect(await digestOf(data)).toBe(before);
});

test("an image without a kernel is refused before anything is armed", { timeout: PATIENCE }, async () => {
  await using rack = await startInstallRack({ image: "none" });
  const folder = await labFolder();
  await mkdir(join(folder, "tree", "etc"), { recursive: true });
  await writeFile(join(folder, "tree", "etc", "os-release"), 'PRETTY_NAME="Nothing 1"\n');
  const archive = join(folder, "bare.tar");
  await must(["tar", "-C", join(folder, "tree"), "-cf", archive, "."]);
  expect((await rack.hpsctl("image", "import", "bare:1", archive)).stderr).toMatch(/it has no .*kernel/);
  expect((await rack.hpsctl("host", "add", "web01", "--mac", "52:54:00:00:04:02")).code).toBe(0);
  const install = await rack.hpsctl("install", "web01", "--image", "bare:1");
  expect(install.code).toBe(NOT_IN_THIS_STATE);
  expect(install.stderr).toMatch(/bare:1 cannot be installed: it has no .*kernel/);
  const host = JSON.parse((await rack.hpsctl("host", "get", "web01", "-o", "json")).stdout);
  expect(host.state).not.toBe("HOST_STATE_ARMED");
});
