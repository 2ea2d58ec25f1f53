/** Trees for tests of images. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { type ByteString, byteString, byteStringOf, latin1 } from "../../tree/byte-string.ts";
import { LARGEST_OBJECT } from "../limits.ts";
import type { ImageObject } from "../manifest-entry.ts";
import type { DraftEntry } from "../manifest-of-drafts.ts";

const NOTHING: Omit<DraftEntry, "path" | "type"> = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1_700_000_000_123_456_789n,
  xattrs: [],
  size: 0,
  segments: undefined,
  content: [],
  link: latin1(""),
  major: 0,
  minor: 0,
};

/** An entry with what matters to the test given. */
export function draft(
  type: DraftEntry["type"],
  path: ByteString | string,
  about: Partial<Omit<DraftEntry, "type" | "path">> = {},
): DraftEntry {
  return { ...NOTHING, ...(type === "directory" && { mode: 0o755 }), ...about, type, path: byteStringOf(path) };
}

/** An object that stands for some content of `length` bytes, told apart by `seed`. */
export function someObject(seed: string | number, length: number): ImageObject {
  return { digest: createHash("sha256").update(`${seed}`).digest(), length };
}

/** A file of `size` bytes; files with one seed have the same content. */
export function draftFile(path: ByteString | string, seed: string | number, size: number): DraftEntry {
  const content: ImageObject[] = [];
  for (let at = 0; at < size; at += LARGEST_OBJECT) {
    const length = Math.min(LARGEST_OBJECT, size - at);
    content.push(someObject(`${seed} ${at} ${length}`, length));
  }
  return draft("file", path, { size, content });
}

/** One of each thing that an image can hold. */
export function richDrafts(): DraftEntry[] {
  const acl = Buffer.from("0200000001000700ffffffff", "hex");
  return [
    draft("directory", "", { mtime: -1n }),
    draft("directory", "dev", { mode: 0o1777 }),
    draft("character", "dev/null", { mode: 0o666, major: 1, minor: 3 }),
    draft("block", "dev/sda", { mode: 0o660, gid: 6, major: 4095, minor: 1_048_575 }),
    draft("fifo", "dev/fifo", { uid: 0xffff_fffe }),
    draft("directory", "etc", {
      xattrs: [
        { name: latin1("user.z"), value: Buffer.alloc(0) },
        { name: latin1("system.posix_acl_default"), value: acl },
      ],
    }),
    draftFile("etc/a", "one", 12),
    draft("hardlink", "etc.d", { link: byteStringOf("etc/a") }),
    draft("symlink", "etc/link", { mode: 0o777, link: latin1("../\xff/nowhere") }),
    draft("hardlink", "a-link", { link: byteStringOf("etc/link") }),
    draftFile("big", "two", 2 * LARGEST_OBJECT + 5),
    draftFile("same", "one", 12),
    draft("file", "sparse", {
      size: 1_000_000,
      segments: [
        { offset: 4096, size: 8192 },
        { offset: 999_424, size: 576 },
      ],
      content: [someObject("pieces", 8768)],
    }),
    draft("file", "hole", { size: 2 ** 43, segments: [] }),
    draft("file", "empty"),
    { ...draftFile("", "three", 1), path: byteString(Buffer.from([0xff, 0x0a, 0xfe])), mtime: -86_400_000_000_001n },
  ];
}

const anyName = fc
  .oneof(fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.constantFrom("a", "b", "a.", "a-", "ab").map(Buffer.from))
  .map((bytes) => byteString(bytes.map((byte) => (byte === 0 || byte === 47 || byte === 46 ? 65 : byte))));

/** Any small tree, in any order. */
export const anyDrafts: fc.Arbitrary<DraftEntry[]> = fc
  .array(fc.record({ path: fc.array(anyName, { minLength: 1, maxLength: 4 }), leaf: anyLeaf() }), { maxLength: 30 })
  .chain((named) => {
    const tree = new Map<ByteString, DraftEntry>([[latin1(""), draft("directory", "")]]);
    for (const { path, leaf } of named) plant(tree, path, leaf);
    return fc.shuffledSubarray([...tree.values()], { minLength: tree.size });
  });

function anyLeaf(): fc.Arbitrary<DraftEntry> {
  const small = fc.integer({ min: 0, max: 0xfff });
  const about = fc.record({
    mode: small,
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: small,
    mtime: fc.bigInt({ min: -(10n ** 21n), max: 10n ** 21n }),
    xattrs: fc
      .dictionary(fc.constantFrom("user.a", "user.b", "security.capability"), fc.uint8Array({ maxLength: 20 }))
      .map((values) => Object.entries(values).map(([name, value]) => ({ name: latin1(name), value }))),
  });
  const kind = fc.oneof(
    fc.record({ seed: fc.nat(5), size: fc.constantFrom(0, 1, 100, LARGEST_OBJECT + 1) }).map((file) => ({
      ...draftFile("", file.seed, file.size),
    })),
    small.map((minor) => draft("character", "", { major: 1, minor })),
    fc.constant(draft("symlink", "", { link: latin1("elsewhere") })),
    fc.constant(draft("directory", "")),
    fc.constant(draft("fifo", "")),
  );
  return fc.record({ about, kind }).map(({ about: facts, kind: leaf }) => {
    const mode = leaf.type === "symlink" ? 0o777 : facts.mode;
    return { ...leaf, ...facts, mode };
  });
}

/** Where the path's folders can be made, and nothing stands there yet. */
function plant(tree: Map<ByteString, DraftEntry>, path: readonly ByteString[], leaf: DraftEntry): void {
  for (let depth = 1; depth < path.length; depth++) {
    const folder = latin1(path.slice(0, depth).join("/"));
    if (!tree.has(folder)) tree.set(folder, { ...draft("directory", ""), path: folder });
    if (tree.get(folder)?.type !== "directory") return;
  }
  const place = latin1(path.join("/"));
  if (!tree.has(place)) tree.set(place, { ...leaf, path: place });
}
