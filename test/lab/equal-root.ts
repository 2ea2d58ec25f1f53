import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { isOwned } from "../../installer-agent/plan/owned-files.ts";
import { compareTrees, showDifference } from "../../proto/tree/compare/compare.ts";
import type { TreeRecords } from "../../proto/tree/compare/record.ts";
import { recordsOfArchive } from "../../proto/tree/compare/records-of-archive.ts";
import { recordsOfTree } from "../../proto/tree/compare/records-of-tree.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";
import { debianImage, VIRTUAL } from "./artifacts.ts";
import { FollowedInstallation } from "./followed-installation.ts";
import type { InstallRack } from "./install-rack.ts";
import { extentOf, mountInstalled } from "./installed-disk.ts";
import { labFolder } from "./janitor.ts";
import { must } from "./run.ts";
import { limit } from "./vm/calibrate.ts";
import type { VmOptions } from "./vm/options.ts";
import type { Vm } from "./vm/vm.ts";

const GIB = 1024 ** 3;
/** From the last step's beginning to a machine that could restart. */
const FINISH_SECONDS = 60;
const IMPORT_MS = 10 * 60_000;
const ALL = ["--format=pax", "--sparse", "--numeric-owner", "--acls", "--xattrs", "--xattrs-include=*"];

/** Debian, and in /srv/rich one of each thing that a tree can hold and Debian has not; written by GNU tar. */
async function richDebian(): Promise<string> {
  const folder = await labFolder();
  const [tree, rich, archive] = [join(folder, "tree"), join(folder, "rich.tar"), join(folder, "image.tar")];
  await mkdir(join(tree, "srv", "rich"), { recursive: true });
  makeRichTree(join(tree, "srv", "rich"));
  const patience = { timeoutMs: IMPORT_MS };
  await must(["zstd", "-q", "-d", await debianImage({ words: VIRTUAL }), "-o", archive], patience);
  await must(["tar", "--create", "-f", rich, ...ALL, "-C", tree, "./srv/rich"], patience);
  await must(["tar", "--concatenate", "-f", archive, rich], patience);
  await must(["zstd", "-q", "-1", "-T0", "--rm", archive], patience);
  return `${archive}.zst`;
}

/** What is worth comparing is really in the image. */
function expectRich(image: TreeRecords): void {
  const rich = [...image.values()].filter(({ path }) => path.startsWith("srv/rich/"));
  const attributes = rich.flatMap(({ xattrs }) => xattrs.map(({ name }) => String(name)));
  const needed = ["security.capability", "system.posix_acl_access", "system.posix_acl_default", "user.of-a-folder"];
  expect(attributes).toEqual(expect.arrayContaining(needed));
  const types = ["file", "directory", "symlink", "character", "block", "fifo"];
  expect([...new Set(rich.map(({ type }) => type))].sort()).toEqual(types.toSorted());
  expect(rich.filter(({ names }) => names.length > 1).length).toBe(4);
  expect(rich.some(({ mtime }) => mtime % 1000n !== 0n)).toBe(true);
}

/** Installs the machine, up to where it would restart, and takes its power away. */
async function installAndHold(rack: InstallRack, vm: Vm): Promise<Uuid> {
  const installation = await FollowedInstallation.arm(rack, vm);
  const pause = await rack.hpsctl("installation", "pause-reboot", vm.name);
  expect(pause.code, pause.stderr).toBe(0);
  await vm.powerOn();
  await installation.starts("finish");
  await vm.console.waitFor(/held: hpsctl installation resume-reboot/, await limit(FINISH_SECONDS));
  await vm.cutPower();
  return parseUuid(installation.id);
}

/** What the disk has otherwise than the image, and is not the installer's to write. */
async function differences(
  image: TreeRecords,
  rack: InstallRack,
  disk: string,
  installation: Uuid,
): Promise<readonly string[]> {
  await using system = await mountInstalled(rack.rack, disk, installation);
  const all = compareTrees(image, recordsOfTree(system.root));
  return all.filter(({ path }) => !isOwned(path)).map(showDifference);
}

/**
 * On a rack without an image: installs one that holds one of everything, and shows that the root on the machine's disk equals it entry
 * by entry, but for what the installer owns; and that a difference would be seen.
 */
export async function expectEqualRoot(rack: InstallRack, firmware: VmOptions["firmware"]): Promise<void> {
  const archive = await richDebian();
  const bring = await rack.follow(["image", "import", rack.image, archive]);
  expect(await bring.ended, bring.output()).toBe(0);
  await using vm = await rack.addMachine({
    name: "web01",
    firmware,
    disks: [{ bus: "virtio", bytes: 24 * GIB }],
    nics: [{ mac: "52:54:00:00:05:01" }],
  });
  const installation = await installAndHold(rack, vm);
  const disk = vm.diskFile(0);

  const image = await recordsOfArchive(createReadStream(archive));
  expectRich(image);
  expect(await differences(image, rack, disk, installation)).toEqual([]);

  // A mode in the root changed and the kernel gone from /boot, on the disk itself.
  const { offset } = await extentOf(disk, installation, "root-a");
  const boot = await extentOf(disk, installation, "boot-a");
  const change = (at: number, what: string) => must(["debugfs", "-w", "-R", what, `${disk}?offset=${at}`]);
  await change(offset, "set_inode_field /etc/passwd mode 0100640");
  const kernel = [...image.keys()].find((path) => path.startsWith("boot/vmlinuz-"))?.slice("boot".length);
  await change(boot.offset, `rm ${kernel}`);
  expect(await differences(image, rack, disk, installation)).toEqual([
    `"boot${kernel}" is missing (file)`,
    '"etc/passwd": mode is 0640, not 0644',
  ]);
}
