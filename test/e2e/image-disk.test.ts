import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ImageBuilder } from "../../client/image/image-builder.ts";
import { ObjectSpool } from "../../client/image/object-spool.ts";
import { diskSource } from "../../client/image/sources/disk-source.ts";
import { recordsOf } from "../../client/image/testing/built.ts";
import { byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import { compareTrees, showDifference } from "../../proto/tree/compare/compare.ts";
import { recordsOfTree } from "../../proto/tree/compare/records-of-tree.ts";
import { setXattr } from "../../proto/tree/native/xattrs.ts";
import { installerSet } from "../lab/artifacts.ts";
import { reserveGuests } from "../lab/vm/slots.ts";

const BOOT_UUID = "11111111-2222-4333-8444-555555555555";
const MIB = 1 << 20;

/** A system whose /boot is on a partition of its own. */
function makeTree(root: string): void {
  const at = (path: string) => join(root, path);
  for (const path of ["etc", "usr/bin", "boot", "srv"]) mkdirSync(at(path), { recursive: true });
  writeFileSync(at("etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(
    at("etc/fstab"),
    `# kept\nUUID=${BOOT_UUID} /boot ext4 defaults 0 2\nUUID=none /srv/x ext4 defaults 0 2\n`,
  );
  writeFileSync(at("boot/vmlinuz-1"), "kernel".repeat(100_000));
  writeFileSync(at("usr/bin/tool"), "tool");
  chmodSync(at("usr/bin/tool"), 0o4755);
  setXattr(byteStringOf(at("usr/bin/tool")), latin1("user.x"), Buffer.from("y"));
  linkSync(at("usr/bin/tool"), at("usr/bin/other"));
  symlinkSync("usr/bin", at("bin"));
  for (const path of ["etc/passwd", "etc/fstab", "boot/vmlinuz-1", "usr/bin/tool"]) utimesSync(at(path), 1e9, 1e9);
}

/** A qcow2 disk with the tree: root on the first partition, /boot on the second. */
function makeDisk(folder: string, tree: string): string {
  const at = (name: string) => join(folder, name);
  const run = (program: string, args: readonly string[], input = "") =>
    execFileSync(program, args, { input, timeout: 60_000 });
  run("truncate", ["-s", "100M", at("disk.raw")]);
  run("sfdisk", ["-q", at("disk.raw")], "label: gpt\nsize=40MiB\nsize=40MiB\n");
  run("cp", ["-a", tree, at("root")]);
  rmSync(at("root/boot/vmlinuz-1"));
  for (const [name, from, place] of [
    ["root.fs", at("root"), 1],
    ["boot.fs", join(tree, "boot"), 41],
  ] as const) {
    run("truncate", ["-s", "40M", at(name)]);
    run("mke2fs", ["-q", "-t", "ext4", ...(place === 41 ? ["-U", BOOT_UUID] : []), "-d", from, at(name)]);
    run("dd", [`if=${at(name)}`, `of=${at("disk.raw")}`, `bs=${MIB}`, `seek=${place}`, "conv=notrunc", "status=none"]);
  }
  run("qemu-img", ["convert", "-O", "qcow2", at("disk.raw"), at("disk.qcow2")]);
  return at("disk.qcow2");
}

test("a disk's tree is read in a machine of its own, other partitions of its system too", {
  timeout: 3_600_000,
}, async () => {
  const folder = mkdtempSync("/var/tmp/image-disk-");
  try {
    const tree = join(folder, "tree");
    mkdirSync(tree);
    makeTree(tree);
    const disk = makeDisk(folder, tree);
    const installer = await installerSet();
    await using _place = await reserveGuests(1);
    const said: string[] = [];
    const { signal } = new AbortController();
    const environment = { ...process.env, TMPDIR: folder };
    await using source = diskSource(disk, { installer, environment, signal, say: (line) => void said.push(line) });
    using spool = new ObjectSpool(environment, 0);
    const builder = new ImageBuilder(spool);
    await source.read(builder, { signal, onBytes: () => undefined });
    const differences = compareTrees(recordsOfTree(tree), recordsOf(builder.build()));
    // What mke2fs makes by itself, and times that it does not take over.
    const own = ({ path, aspect }: (typeof differences)[number]) =>
      path.endsWith("lost+found") || aspect === "time" || path === "";
    expect(differences.filter((one) => !own(one)).map(showDifference)).toEqual([]);
    expect(said).toEqual(["left out: /srv/x, on UUID=none, which is not on this disk or cannot be read"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
