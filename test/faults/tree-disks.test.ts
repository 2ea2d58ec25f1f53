/** Unpacking onto real file systems: mounted ones below the root, full ones, read-only ones. Each in a mount namespace of its own. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { rawTar } from "../../proto/tree/testing/raw-tar.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";

const UNPACKER = path.join(import.meta.dirname, "unpack-here.ts");

/** Runs `script` with the mounts it makes seen by nobody else; `unpack ROOT` in it unpacks the archive. */
function inNamespace(archive: Uint8Array, script: (folder: string) => string): string {
  using scratch = makeScratch();
  writeFileSync(scratch.under("a.tar"), archive);
  mkdirSync(scratch.under("root"));
  const unpack = `unpack() { "${process.execPath}" "${UNPACKER}" "${scratch.under("a.tar")}" "$1"; }`;
  return execFileSync("unshare", ["--mount", "sh", "-ec", `${unpack}\n${script(scratch.path)}`], {
    encoding: "utf8",
    timeout: 60_000,
  });
}

test("what lies below a mount point goes to that file system, and a hard link across becomes a copy", () => {
  const archive = rawTar([
    { name: "boot", type: "5", mode: 0o700, seconds: 7 },
    { name: "kernel", content: "kernel", mode: 0o640, uid: 5, seconds: 9, pax: { "SCHILY.xattr.trusted.x": "kept" } },
    { name: "boot/kernel", type: "1", link: "kernel" },
    { name: "boot/second", type: "1", link: "boot/kernel" },
  ]);
  const seen = inNamespace(
    archive,
    (folder) => `
      truncate -s 16M "${folder}/disk"; mkfs.ext4 -q "${folder}/disk"
      mkdir "${folder}/root/boot"; mount -o loop "${folder}/disk" "${folder}/root/boot"
      unpack "${folder}/root"
      cd "${folder}/root"; mountpoint -q boot
      stat -c '%n %a %u %Y %h' boot kernel boot/kernel boot/second; cat boot/kernel
      umount boot; ls -A boot`,
  );
  expect(seen).toBe(
    '{"bytes":12,"entries":4}\nboot 700 0 7 3\nkernel 640 5 9 1\nboot/kernel 640 5 9 2\nboot/second 640 5 9 2\nkernel',
  );
});

test("a full disk is named, with the entry that did not fit", () => {
  const archive = rawTar([
    { name: "small", content: "x" },
    { name: "big", content: Buffer.alloc(4 << 20, 1) },
  ]);
  const seen = inNamespace(
    archive,
    (folder) => `mount -t tmpfs -o size=1M none "${folder}/root"; unpack "${folder}/root"; ls "${folder}/root"`,
  );
  expect(seen).toBe('exhausted: cannot unpack "big": the file system is full\nbig\nsmall\n');
});

test("a read-only file system is named", () => {
  const seen = inNamespace(
    rawTar([{ name: "a" }]),
    (folder) => `mount -t tmpfs -o ro none "${folder}/root"; unpack "${folder}/root"`,
  );
  expect(seen).toBe('precondition: cannot unpack "a": the file system is read-only\n');
});

test("a mount point is not replaced", () => {
  const seen = inNamespace(
    rawTar([{ name: "boot", type: "2", link: "/etc" }]),
    (folder) => `
      mkdir "${folder}/root/boot"; mount -t tmpfs none "${folder}/root/boot"; touch "${folder}/root/boot/kept"
      unpack "${folder}/root"; ls "${folder}/root/boot"`,
  );
  expect(seen).toBe('invalid: cannot unpack "boot": a mounted file system stands in its place\nkept\n');
});
