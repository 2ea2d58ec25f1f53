/** Reads files that promise or unpack to far more than they are, and says what that came to: node test/vectors/image/read-bombs.ts */
import { constants, zstdCompressSync } from "node:zlib";
import { type ContainerKind, containerEnd, containerHead } from "../../../proto/image/container.ts";
import { DELTA } from "../../../proto/image/delta.ts";
import { PACK } from "../../../proto/image/pack.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { MANIFEST } from "./good.ts";
import { READERS } from "./read.ts";

const HEAD = MANIFEST.subarray(0, 8);
const MIB = 1 << 20;

function zeros(length: number): Buffer {
  return zstdCompressSync(Buffer.alloc(length), {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    pledgedSrcSize: length,
  });
}

/** A frame whose header says that its content is of `length` bytes: one block of zeros, and no more. */
function promising(length: number): Buffer {
  const frame = Buffer.from("28b52ffd80580000000003001000", "hex");
  frame.writeUInt32LE(length, 6);
  return frame;
}

/** A file without content whose index holds `entry` as often as fits, after its `beginning`; all its digests are right. */
function repeated(kind: ContainerKind, beginning: string, entry: Buffer): Buffer {
  const head = containerHead(kind);
  const first = Buffer.from(beginning, "hex");
  const count = Math.floor((32 * MIB - first.length) / entry.length);
  const index = Buffer.concat([first, Buffer.alloc(count * entry.length, entry)]);
  return Buffer.concat([head, containerEnd(kind, index, head.length)]);
}

/** One object, as a pack's index has it. */
const OBJECT = Buffer.concat([Buffer.alloc(32, 7), Buffer.from([1])]);

/** A frame of a gigabyte that says to be one of 100 bytes. */
function lying(): Buffer {
  const frame = zeros(1024 * MIB);
  const blocks = frame.subarray(4 + 1 + 1 + 4);
  return Buffer.concat([Buffer.from("28b52ffd40580000", "hex"), blocks]);
}

const BOMBS: Readonly<Record<string, () => unknown>> = {
  "a manifest that promises ten million objects": () =>
    READERS.manifest?.(Buffer.concat([HEAD, Buffer.from("80ade204", "hex"), Buffer.alloc(1000, 1)])),
  "a manifest that promises ten million entries": () =>
    READERS.manifest?.(Buffer.concat([HEAD, Buffer.from("0080ade204", "hex"), Buffer.alloc(1000, 1)])),
  "a stored manifest that promises 512 MiB": () => READERS["stored-manifest"]?.(promising(512 * MIB)),
  "a stored manifest that promises 4 GiB": () => READERS["stored-manifest"]?.(promising(0xffff_ffff)),
  "a stored manifest of 1 GiB": () => READERS["stored-manifest"]?.(zeros(1024 * MIB)),
  "a frame of 1 GiB": () => openFrame(zeros(1024 * MIB), { offset: 8, rawBytes: 100, objects: [] }),
  "a frame that hides 1 GiB": () => openFrame(lying(), { offset: 8, rawBytes: 256, objects: [] }),
  "a pack's index of a quarter of a million frames": () =>
    READERS.pack?.(repeated(PACK, "808010", Buffer.concat([Buffer.from([1, 1]), OBJECT]))),
  "a pack's index of a frame of many objects": () => READERS.pack?.(repeated(PACK, "0164808010", OBJECT)),
  "a delta's index of many objects": () =>
    READERS.delta?.(repeated(DELTA, `${"07".repeat(64)}00808010`, Buffer.concat([OBJECT, Buffer.from([1, 1, 1, 0])]))),
  "a delta's index of many pieces": () =>
    READERS.delta?.(
      repeated(
        DELTA,
        `${"07".repeat(64)}00808010`,
        Buffer.concat([OBJECT, Buffer.from([64]), Buffer.alloc(192, "\x01\x01\0")]),
      ),
    ),
};

const rssBefore = process.resourceUsage().maxRSS;
const outcomes = Object.entries(BOMBS).map(([bomb, read]) => {
  const start = performance.now();
  try {
    read();
    return { bomb, refused: "not at all" };
  } catch (error) {
    return { bomb, refused: error instanceof Error ? error.message : "", ms: Math.round(performance.now() - start) };
  }
});
process.stdout.write(JSON.stringify({ outcomes, kib: process.resourceUsage().maxRSS - rssBefore }));
