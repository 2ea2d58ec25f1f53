/** The trees that the examples are of: small, and the same in every run. */
import { createHash, hash } from "node:crypto";
import { LARGEST_OBJECT } from "../../../proto/image/limits.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import type { DraftEntry } from "../../../proto/image/manifest-of-drafts.ts";
import { draft as plainDraft } from "../../../proto/image/testing/drafts.ts";
import { byteStringOf, latin1 } from "../../../proto/tree/byte-string.ts";

function draft(type: DraftEntry["type"], path: string, about: Partial<DraftEntry> = {}): DraftEntry {
  const mode = { directory: 0o755, symlink: 0o777 }[String(type)] ?? 0o644;
  return plainDraft(type, path, { mode, mtime: 1_700_000_000_000_000_000n, ...about });
}

export function objectOf(content: Uint8Array): ImageObject {
  return { digest: hash("sha256", content, "buffer"), length: content.length };
}

/** Bytes that repeat after 251. */
function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => ((at % 251) * (at % 251) * 7 + seed * at + seed) % 251));
}

/** Bytes that do not compress. */
export function noise(length: number, seed: string): Buffer {
  return createHash("shake256", { outputLength: length }).update(seed).digest();
}

/** Data of files, by path. */
const DATA = {
  "bin/tool": Buffer.concat([noise(1000, "tool"), Buffer.from(" version 2 "), noise(1000, "more of tool")]),
  "etc/hostname": Buffer.from("alpha\n"),
  "etc/hosts": Buffer.from("127.0.0.1 localhost\n"),
  "etc/hosts.orig": Buffer.from("127.0.0.1 localhost\n"),
  "var/large": pattern(LARGEST_OBJECT + 5, 3),
  "var/sparse": Buffer.concat([pattern(4096, 5), pattern(10, 7)]),
};

/** The content of the pack. */
export const CONTENTS: readonly Buffer[] = Object.values(DATA).flatMap(cut);

function cut(data: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(data.length / LARGEST_OBJECT) }, (_, index) =>
    data.subarray(index * LARGEST_OBJECT, (index + 1) * LARGEST_OBJECT),
  );
}

function file(path: keyof typeof DATA, about: Partial<DraftEntry> = {}): DraftEntry {
  return draft("file", path, { size: DATA[path].length, content: cut(DATA[path]).map(objectOf), ...about });
}

/** One of each thing that an image can hold. */
export const TREE: readonly DraftEntry[] = [
  draft("directory", "", { mtime: -1n }),
  draft("directory", "bin"),
  file("bin/tool", {
    mode: 0o4755,
    xattrs: [
      { name: latin1("security.capability"), value: Buffer.from("0100000200040000000000000000000000000000", "hex") },
      { name: latin1("user.note"), value: Buffer.from("two attributes") },
    ],
  }),
  draft("symlink", "bin/t", { link: byteStringOf("../bin/tool"), mtime: 1_600_000_000_987_654_321n }),
  draft("hardlink", "bin/same-tool", { link: byteStringOf("bin/tool") }),
  draft("directory", "bin.d", { mode: 0o1777, uid: 1000, gid: 4_294_967_294 }),
  draft("directory", "dev"),
  draft("character", "dev/null", { mode: 0o666, major: 1, minor: 3 }),
  draft("block", "dev/sda", { mode: 0o660, gid: 6, major: 8, minor: 1_048_575 }),
  draft("fifo", "dev/pipe", { mtime: -1_500_000_000n }),
  draft("directory", "etc", {
    xattrs: [
      {
        name: latin1("system.posix_acl_default"),
        value: Buffer.from("0200000001000700ffffffff04000500ffffffff20000500ffffffff", "hex"),
      },
    ],
  }),
  file("etc/hostname"),
  file("etc/hosts"),
  file("etc/hosts.orig"),
  draft("directory", "var"),
  draft("file", "var/empty"),
  draft("file", "var/hole", { size: 2 ** 40, segments: [] }),
  file("var/large"),
  file("var/sparse", {
    size: 20_490,
    segments: [
      { offset: 4096, size: 4096 },
      { offset: 20_480, size: 10 },
    ],
  }),
  { ...draft("symlink", "", { link: latin1("\xff\xfe") }), path: latin1("not-\xff\n-utf8") },
];

/** Files of an older tree, as they lie in the folder `old`: the first begins as a dictionary of zstd does. */
export const OLD: Readonly<Record<string, Buffer>> = {
  "bin/tool": Buffer.concat([
    Buffer.from("37a430ec", "hex"),
    noise(1000, "tool"),
    Buffer.from(" version 1 "),
    noise(1000, "more of tool"),
  ]),
};

export const OLD_TREE: readonly DraftEntry[] = [
  draft("directory", ""),
  draft("directory", "bin"),
  ...Object.entries(OLD).map(([path, content]) =>
    draft("file", path, { size: content.length, content: [objectOf(content)] }),
  ),
];
