/** Packs, deltas, signatures and key sets that every reader must refuse. */
import { hash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { ByteWriter } from "../../../proto/image/byte-writer.ts";
import { type ContainerKind, containerEnd } from "../../../proto/image/container.ts";
import { DELTA, DELTA_HEAD } from "../../../proto/image/delta.ts";
import { encodeKeySet } from "../../../proto/image/key-set.ts";
import { PACK, PACK_HEAD } from "../../../proto/image/pack.ts";
import { signed } from "../../../proto/image/signed.ts";
import { encodeStatement } from "../../../proto/image/statement.ts";
import { compressedSync } from "../../../proto/image/zstd-frame-content.ts";
import { keyOf, NEXT_KEYS, STATEMENT } from "./good.ts";
import { noise, OLD } from "./tree.ts";

type Good = Readonly<Record<string, Buffer>>;
type Refused = Readonly<Record<string, Buffer>>;

const CONTENT = noise(40, "content");
const FRAME = compressedSync(CONTENT, 3);

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy.at(at) ?? 0) ^ 1;
  return copy;
}

function indexed(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter();
  write(writer);
  return writer.done();
}

/** A file of `stored` content with the index `write` makes. */
function fileOf(kind: ContainerKind, head: Buffer, stored: Buffer, write: (writer: ByteWriter) => void): Buffer {
  return Buffer.concat([head, stored, containerEnd(kind, indexed(write), head.length + stored.length)]);
}

/** A pack of one frame, which says to be `frame.length` long and to hold the objects. */
function packOf(frame: Buffer, objects: readonly (readonly [Buffer, number])[], bytes = frame.length): Buffer {
  return fileOf(PACK, PACK_HEAD, frame, (writer) => {
    writer.number(1);
    writer.number(bytes);
    writer.number(objects.length);
    for (const [digest, length] of objects) {
      writer.raw(digest);
      writer.number(length);
    }
  });
}

const digestOf = (content: Buffer) => hash("sha256", content, "buffer");
const RIGHT = [[digestOf(CONTENT), 40]] as const;

/** The size that it states and the one that it has differ. */
function lyingFrame(): Buffer {
  const frame = Buffer.from(FRAME);
  frame[5] = 41;
  return frame;
}

function refusedPacks(): Refused {
  const pack = packOf(FRAME, RIGHT);
  const large = zstdCompressSync(Buffer.alloc(1 << 23));
  return {
    "another magic": changed(pack, 0),
    "another end magic": changed(pack, pack.length - 2),
    "another version": changed(pack, 7),
    "another version of its trailer": changed(pack, pack.length - 1),
    "it is cut": pack.subarray(0, -1),
    "an index that lies elsewhere": changed(pack, pack.length - 56),
    "an index of another digest": changed(pack, pack.length - 57),
    "an index of another length": changed(pack, pack.length - 44),
    "no frame": fileOf(PACK, PACK_HEAD, Buffer.alloc(0), (writer) => writer.number(0)),
    "a frame without objects": packOf(FRAME, []),
    "frames that end elsewhere": packOf(FRAME, RIGHT, FRAME.length - 1),
    "an object of another digest": packOf(FRAME, [[digestOf(FRAME), 40]]),
    "a frame longer than its objects": packOf(FRAME, [[digestOf(CONTENT.subarray(0, 39)), 39]]),
    "a frame that states another length": packOf(lyingFrame(), RIGHT),
    "a frame of too much": packOf(large, [[digestOf(CONTENT), 1 << 23]]),
    "objects that are too much together": packOf(FRAME, [[digestOf(FRAME), 1 << 22], ...RIGHT]),
    "two frames for one": packOf(Buffer.concat([FRAME, FRAME]), RIGHT),
    "a byte after a frame": packOf(Buffer.concat([FRAME, Buffer.alloc(1)]), RIGHT),
    "a frame that is cut": packOf(FRAME.subarray(0, -1), RIGHT),
    "a skippable frame": packOf(Buffer.from("502a4d180100000000", "hex"), RIGHT),
    "not compressed": packOf(CONTENT, RIGHT),
  };
}

interface Piece {
  readonly path?: string;
  readonly offset?: number;
  readonly window?: number;
  readonly digest?: Buffer;
  readonly length?: number;
}

/** A delta of one object of one piece, right but for what is given. */
function deltaOf({
  path = "bin/tool",
  offset = 4,
  window = 100,
  digest = digestOf(CONTENT),
  length = 40,
}: Piece): Buffer {
  return fileOf(DELTA, DELTA_HEAD, FRAME, (writer) => {
    writer.raw(noise(32, "base"));
    writer.raw(noise(32, "target"));
    writer.number(1);
    writer.text(path);
    writer.number(1);
    writer.raw(digest);
    writer.number(length);
    writer.number(1);
    for (const value of [40, FRAME.length, 1, offset, window]) writer.number(value);
  });
}

function refusedDeltas(): Refused {
  const delta = deltaOf({});
  return {
    "a pack": packOf(FRAME, RIGHT),
    "another version": changed(delta, 8),
    "it is cut": delta.subarray(0, -1),
    "an index of another digest": changed(delta, delta.length - 57),
    "a window that begins as a dictionary": deltaOf({ offset: 0 }),
    "a window that is too small": deltaOf({ window: 7 }),
    "a window that is too large": deltaOf({ window: (1 << 21) + 1 }),
    "a window beyond its file": deltaOf({ offset: OLD["bin/tool"]?.length ?? 0 }),
    "an object of another digest": deltaOf({ digest: digestOf(FRAME) }),
    "an object of another length than its pieces": deltaOf({ length: 41 }),
    "a path that climbs": deltaOf({ path: "bin/../bin/tool" }),
    "a path that begins with a slash": deltaOf({ path: "/etc/shadow" }),
    "the root's path": deltaOf({ path: "" }),
  };
}

function refusedSignatures({ signature = CONTENT }: Good): Refused {
  const by = (change: Partial<typeof STATEMENT>) => signed(encodeStatement({ ...STATEMENT, ...change }), keyOf(1));
  const spaced = by({ name: "a-b" });
  return {
    "another version": changed(signature, 6),
    "another format": changed(signature, 7),
    "altered after it was signed": changed(signature, signature.length - 100),
    "a key that is not trusted": signed(encodeStatement(STATEMENT), keyOf(3)),
    "it is cut": signature.subarray(0, -1),
    "something follows": Buffer.concat([signature, Buffer.alloc(1)]),
    "a name that is not plain": Buffer.from(spaced.toString("latin1").replace("a-b", "a b"), "latin1"),
  };
}

function refusedKeySets(good: Good): Refused {
  const bytes = good["key-set"] ?? CONTENT;
  const keySet = (...keys: readonly Buffer[]) =>
    indexed((writer) => {
      writer.rawText("HPSKEYS\x01");
      writer.text("alpha");
      writer.number(2);
      writer.number(1_700_000_000_000);
      writer.number(keys.length);
      for (const key of keys) {
        writer.raw(key);
        writer.text("label");
      }
    });
  return {
    "another version": changed(bytes, 7),
    "altered after it was signed": changed(bytes, bytes.length - 100),
    "signed by a key of its own": signed(encodeKeySet(NEXT_KEYS), keyOf(2)),
    "it is cut": bytes.subarray(0, -1),
    "something follows": Buffer.concat([bytes, Buffer.alloc(1)]),
    "no key": signed(keySet(), keyOf(1)),
    "keys out of order": signed(keySet(Buffer.alloc(32, 2), Buffer.alloc(32, 1)), keyOf(1)),
  };
}

/** By kind, then by what is wrong. */
export function refusedFiles(good: Good): Readonly<Record<string, Refused>> {
  return {
    pack: refusedPacks(),
    delta: refusedDeltas(),
    signature: refusedSignatures(good),
    "key-set": refusedKeySets(good),
    "stored-manifest": {
      "not compressed": good.manifest ?? CONTENT,
      "two frames for one": Buffer.concat([good["stored-manifest"] ?? CONTENT, good["stored-manifest"] ?? CONTENT]),
      "no length stated": Buffer.from("28b52ffd00581100004142", "hex"),
    },
  };
}
