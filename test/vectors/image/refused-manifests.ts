/** Manifests that every reader must refuse, each wrong in one thing. */
import { ByteWriter } from "../../../proto/image/byte-writer.ts";
import { MANIFEST } from "./good.ts";
import { noise } from "./tree.ts";

type Write = (writer: ByteWriter) => void;

/** Type, path, then what follows in an entry of that type. */
function entry(type: number, shared: number, rest: string, ...more: readonly Write[]): Write {
  return (writer) => {
    writer.byte(type);
    writer.number(shared);
    writer.text(rest);
    for (const write of more) write(writer);
  };
}

function numbers(...values: readonly number[]): Write {
  return (writer) => {
    for (const value of values) writer.number(value);
  };
}

/** Mode, owner, group, second 0 and no nanosecond, no attribute. */
const plain = numbers(0o644, 0, 0, 0, 0, 0);
const directory = numbers(0o755, 0, 0, 0, 0, 0);
const emptyFile = numbers(0, 0);
const ROOT = entry(2, 0, "", directory);

/** A manifest of one object of 5 bytes, unless others are given, and of `entries`. */
function manifest(entries: readonly Write[], objects: readonly (readonly [string, number])[] = [["one", 5]]): Buffer {
  const writer = new ByteWriter();
  writer.raw(MANIFEST.subarray(0, 8));
  writer.number(objects.length);
  for (const [seed, length] of objects) {
    writer.raw(noise(32, seed));
    writer.number(length);
  }
  writer.number(entries.length);
  for (const write of entries) write(writer);
  return writer.done();
}

/** A manifest of the root and a file of content, with one more thing in it. */
function withEntry(type: number, rest: string, ...more: readonly Write[]): Buffer {
  return manifest([ROOT, file("a"), entry(type, 0, rest, ...more)]);
}

function file(path: string, ...content: readonly number[]): Write {
  return entry(1, 0, path, plain, numbers(...(content.length > 0 ? content : [5, 0, 0])));
}

function sparse(...content: readonly number[]): Buffer {
  return manifest([ROOT, file("a", ...content, 0)]);
}

function changed(at: number, byte: number): Buffer {
  const bytes = Buffer.from(MANIFEST);
  bytes[at] = byte;
  return bytes;
}

const attribute =
  (name: string): Write =>
  (writer) => {
    writer.text(name);
    writer.text("value");
  };

export const REFUSED_MANIFESTS: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  "another magic": changed(0, 0x68),
  "a later version": changed(7, 2),
  "it is cut": MANIFEST.subarray(0, -1),
  "something follows": Buffer.concat([MANIFEST, Buffer.from([0])]),
  "a number not in its shortest form": Buffer.concat([MANIFEST.subarray(0, 8), Buffer.from("8000", "hex")]),
  "a number above 2^53": Buffer.concat([MANIFEST.subarray(0, 8), Buffer.from("ffffffffffffffffff01", "hex")]),
  "a number without an end": Buffer.concat([MANIFEST.subarray(0, 8), Buffer.alloc(100, 0xff)]),
  "more objects than can be": Buffer.concat([MANIFEST.subarray(0, 8), Buffer.from("ffffff7f", "hex")]),
  "no entry": manifest([], []),
  "the root is missing": manifest([file("a")]),
  "the root is a file": manifest([file("")]),
  "an object twice": manifest([ROOT, file("a"), file("b")], [["one", 5], ["one", 5]]), // biome-ignore format: one case
  "an object without content": manifest([ROOT], [["one", 0]]),
  "an object of more than 4 MiB": manifest([ROOT, file("a", 4_194_305, 0, 0)], [["one", 4_194_305]]),
  "an object of no file": manifest([ROOT]),
  "a reference to before the first object": manifest([ROOT, file("a", 5, 0, 1)]),
  "a reference beyond the last object": manifest([ROOT, file("a"), file("b")]),
  "an object of another length": manifest([ROOT, file("a", 6, 0, 0)]),
  "an entry of an unknown type": withEntry(8, "b", plain),
  "a path out of order": withEntry(1, "Z", plain, emptyFile),
  "a path twice": manifest([ROOT, file("a"), entry(1, 1, "", plain, emptyFile)]),
  "a path that shares more than it says": manifest([ROOT, file("a"), entry(1, 0, "ab", plain, emptyFile)]),
  "a path that shares more than there is": manifest([ROOT, file("a"), entry(1, 2, "b", plain, emptyFile)]),
  "a folder's children after its sibling": manifest(
    [ROOT, entry(2, 0, "a", directory), entry(1, 1, "-b", plain, emptyFile), entry(1, 1, "/c", plain, emptyFile)],
    [],
  ),
  "a path in no folder": withEntry(1, "b/c", plain, emptyFile),
  "a path in a file": manifest([ROOT, file("a"), entry(1, 1, "/b", plain, emptyFile)]),
  "a path that begins with a slash": manifest([ROOT, entry(1, 0, "/b", plain, emptyFile)], []),
  "a path that ends with a slash": withEntry(2, "b/", directory),
  "a name of two dots": manifest([ROOT, entry(2, 0, "..", directory)], []),
  "a name of one dot": manifest([ROOT, entry(2, 0, ".", directory)], []),
  "a name with a zero byte": withEntry(1, "b\0", plain, emptyFile),
  "a name of 256 bytes": withEntry(1, "b".repeat(256), plain, emptyFile),
  "a mode of 13 bits": withEntry(1, "b", numbers(0o10000, 0, 0, 0, 0, 0), emptyFile),
  "an owner that means none": withEntry(1, "b", numbers(0o644, 0xffff_ffff, 0, 0, 0, 0), emptyFile),
  "a second of nanoseconds": withEntry(1, "b", numbers(0o644, 0, 0, 0, 1_000_000_000, 0), emptyFile),
  "a time after all times": withEntry(1, "b", numbers(0o644, 0, 0, 2e12, 1, 0), emptyFile),
  "an attribute without a name": withEntry(1, "b", numbers(0o644, 0, 0, 0, 0, 1), attribute(""), emptyFile),
  "attributes out of order": withEntry(
    1,
    "b",
    numbers(0o644, 0, 0, 0, 0, 2),
    attribute("user.b"),
    attribute("user.a"),
    emptyFile,
  ),
  "an attribute twice": withEntry(
    1,
    "b",
    numbers(0o644, 0, 0, 0, 0, 2),
    attribute("user.b"),
    attribute("user.b"),
    emptyFile,
  ),
  "a symlink to nothing": withEntry(3, "b", numbers(0, 0, 0, 0, 0), numbers(0)),
  "a symlink with a zero byte": withEntry(3, "b", numbers(0, 0, 0, 0, 0), (writer) => writer.text("a\0")),
  "a hard link to a folder": withEntry(4, "b", numbers(0)),
  "a hard link to itself": withEntry(4, "b", numbers(2)),
  "a hard link to a hard link": manifest([ROOT, file("a"), entry(4, 0, "b", numbers(1)), entry(4, 0, "c", numbers(2))]), // biome-ignore format: one case
  "a major number of 13 bits": withEntry(5, "b", plain, numbers(4096, 0)),
  "a sparse file without a hole": sparse(5, 2, 0, 5),
  "an empty sparse file": manifest([ROOT, file("a", 0, 1)], []),
  "a hole that begins off its place": sparse(8192, 2, 1, 5),
  "data that ends off its place": sparse(8192, 2, 4096, 5),
  "data past the end": sparse(4100, 2, 4096, 5),
  "pieces of data that touch": sparse(20_000, 3, 0, 4096, 0, 4096),
  "an empty piece of data": sparse(8192, 2, 4096, 0),
};
