/** What an image is: its tree and its content, as bytes whose SHA-256 is the image's name. docs/image-format.md specifies them. */
import { hash } from "node:crypto";
import { HpsError } from "../values/hps-error.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { notThoseBytes, type Refuse } from "./damage.ts";
import { LARGEST_MANIFEST, LARGEST_OBJECT, MOST_OBJECTS } from "./limits.ts";
import type { ImageObject, ManifestEntry } from "./manifest-entry.ts";
import { readEntries } from "./read-entries.ts";
import { writeEntries } from "./write-entries.ts";
import { compressedSync, contentLength, frameContent } from "./zstd-frame-content.ts";

export interface Manifest {
  /** In the order in which the entries first name them, each once. */
  readonly objects: readonly ImageObject[];
  /** In the order of `comparePaths`, the root first. */
  readonly entries: readonly ManifestEntry[];
}

const MAGIC = "HPSIMG\0";
const DIGEST = 32;

/** The one form of `manifest`; `invalid`, naming the entry, when it breaks a rule of the format. */
export function encodeManifest(manifest: Manifest): Buffer {
  const writer = new ByteWriter();
  writer.rawText(MAGIC);
  writer.byte(1);
  writeObjects(writer, manifest.objects);
  writeEntries(writer, manifest);
  return writer.done();
}

/** Reads a manifest and checks all of it: bytes from anywhere give a manifest that `encodeManifest` makes the same bytes of, or `invalid`. */
export function parseManifest(bytes: Uint8Array): Manifest {
  const { objects, entries } = openManifest(bytes);
  return { objects, entries: [...entries] };
}

/**
 * As `parseManifest`, for those who look at entries one after the other and keep few: what was given by `entries` has been
 * checked, but the manifest is good only when they have ended.
 */
export function openManifest(bytes: Uint8Array): {
  readonly objects: readonly ImageObject[];
  readonly entries: Iterable<ManifestEntry>;
} {
  const reader = manifestReader(bytes);
  const objects = [...readObjects(reader)];
  const lengths = objects.map(({ length }) => length);
  return { objects, entries: readEntries(reader, lengths) };
}

/** Stands before the number of objects. */
export function manifestReader(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes, "manifest");
  reader.magic(MAGIC);
  if (bytes.length > LARGEST_MANIFEST) throw reader.wrong(`it is longer than ${LARGEST_MANIFEST} bytes`);
  return reader;
}

/** How many objects a manifest says it has: for who must know before it reads them. */
export function objectsIn(bytes: Uint8Array): number {
  return manifestReader(bytes).number("the number of objects", MOST_OBJECTS);
}

/** The uncompressed bytes that a stored manifest says it has; nothing of it is checked yet. */
export function manifestLength(stored: Uint8Array): number {
  const refuse: Refuse = (why, cause) => notThoseBytes("manifest", why, cause);
  const length = contentLength(stored, refuse) ?? 0;
  if (length === 0 || length > LARGEST_MANIFEST) throw refuse(`it is not of 1 to ${LARGEST_MANIFEST} bytes`);
  return length;
}

/** The image's digest, without a prefix, of the manifest's uncompressed bytes. */
export function manifestDigest(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** The bytes of `encodeManifest` as they are stored and sent. Those of one manifest may differ; its digest never does. */
export function compressManifest(raw: Uint8Array): Buffer {
  return compressedSync(raw, COMPRESSION_LEVEL);
}

/** Where digests stand between them, higher levels find nothing more. */
const COMPRESSION_LEVEL = 9;

/** The uncompressed bytes of a stored manifest, which are those of `digest` (64 digits); what else they say is unread. */
export function manifestBytes(stored: Uint8Array, digest: string): Buffer {
  const refuse: Refuse = (why, cause) => notThoseBytes("manifest", why, cause);
  const raw = frameContent(stored, manifestLength(stored), refuse);
  const found = manifestDigest(raw);
  if (found !== digest) throw refuse(`its SHA-256 is ${found}, not ${digest}`);
  return raw;
}

function writeObjects(writer: ByteWriter, objects: readonly ImageObject[]): void {
  writer.number(objects.length);
  const rules = new ObjectRules((why) => new HpsError("invalid", `an image cannot hold its objects: ${why}`));
  for (const object of objects) {
    rules.add(object);
    writer.raw(object.digest);
    writer.number(object.length);
  }
}

/** The objects that `reader` stands before, each checked before it is given; `isNew` is told each digest once. */
export function* readObjects(
  reader: ByteReader,
  isNew?: (digest: Buffer) => boolean,
): Generator<ImageObject, void, undefined> {
  const count = reader.number("the number of objects", MOST_OBJECTS);
  let start = 0;
  const rules = new ObjectRules((why) => reader.wrong(why, start), isNew);
  for (let index = 0; index < count; index++) {
    start = reader.position;
    const digest = reader.take(DIGEST, "an object's digest");
    const object = { digest, length: reader.number("an object's length", LARGEST_OBJECT) };
    rules.add(object);
    yield object;
  }
}

/** Each object of a manifest is there once. */
class ObjectRules {
  readonly #refuse: Refuse;
  readonly #isNew: (digest: Buffer) => boolean;

  constructor(refuse: Refuse, isNew = newOnes()) {
    this.#refuse = refuse;
    this.#isNew = isNew;
  }

  add({ digest, length }: ImageObject): void {
    if (length < 1 || length > LARGEST_OBJECT) throw this.#refuse(`an object of ${length} bytes`);
    if (digest.length !== DIGEST || !this.#isNew(digest)) throw this.#refuse("an object that is there already");
  }
}

function newOnes(): (digest: Buffer) => boolean {
  const seen = new Set<string>();
  return (digest) => {
    const before = seen.size;
    return seen.add(digest.toString("latin1")).size > before;
  };
}
