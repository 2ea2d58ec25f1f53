/** One piece of a delta: new content, compressed with old content as what zstd may refer back to. */
import { hash } from "node:crypto";
import { constants } from "node:zlib";
import { damagedImage } from "./damage.ts";
import type { DeltaPiece, StoredDeltaObject } from "./delta.ts";
import { SMALLEST_WINDOW } from "./limits.ts";
import { compressed, frameContent } from "./zstd-frame-content.ts";

/** What makes zstd take a dictionary for more than plain content. */
const DICTIONARY_MAGIC = 0xec30a437;

/**
 * Low levels do not look into a dictionary of 2 MiB at all. From one Debian point release to the next, 498 MB of new content, 12
 * gives 74.8 MB for 33 s of one processor, and 15 gives 73.6 MB for 89 s.
 */
const LEVEL = 12;
/** Wide enough for the largest window and the largest piece together. */
const WINDOW_LOG = 22;

/** Whether zstd takes `window` as it is: neither as a dictionary with tables, nor as nothing. */
export function isPlainWindow(window: Uint8Array): boolean {
  if (window.length < SMALLEST_WINDOW) return false;
  return Buffer.from(window.buffer, window.byteOffset, 4).readUInt32LE(0) !== DICTIONARY_MAGIC;
}

/** The frame of a piece, on a thread of zlib's own. `window` must be plain. */
export function compressPiece(content: Uint8Array, window: Uint8Array | undefined): Promise<Buffer> {
  const params = { [constants.ZSTD_c_windowLog]: WINDOW_LOG };
  return compressed(content, LEVEL, { params, ...(window !== undefined && { dictionary: window }) });
}

/** An object, made of its pieces' frames `bytes` (as they lie in the file) and the content of their windows. */
export function openDeltaObject(
  object: StoredDeltaObject,
  bytes: Uint8Array,
  windows: readonly (Uint8Array | undefined)[],
): Buffer {
  let at = 0;
  const parts = object.pieces.map((piece, index) => {
    const frame = bytes.subarray(at, at + piece.compressedBytes);
    const part = openPiece(piece, object.offset + at, frame, windows[index]);
    at += piece.compressedBytes;
    return part;
  });
  const content = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  const found = hash("sha256", content, "buffer");
  if (found.equals(object.digest)) return content;
  const why = `its object there has the SHA-256 ${found.toString("hex")}, not ${object.digest.toString("hex")}`;
  throw damagedImage("delta", object.offset, `${why}; the old files may be others than it was made with`);
}

function openPiece(piece: DeltaPiece, at: number, frame: Uint8Array, window: Uint8Array | undefined): Buffer {
  const refuse = (why: string, cause?: unknown) => damagedImage("delta", at, `its piece there: ${why}`, cause);
  if (window?.length !== piece.window?.length) {
    throw refuse(`it wants ${piece.window?.length ?? 0} bytes of an old file and got ${window?.length ?? 0}`);
  }
  if (window !== undefined && !isPlainWindow(window)) throw refuse("the old content begins as a dictionary of zstd");
  return frameContent(frame, piece.length, refuse, window);
}
