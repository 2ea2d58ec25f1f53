/** What our own reader makes of an example: reads all of it, as whoever would use it does. */
import { hash } from "node:crypto";
import { type ContainerKind, checkHead, parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import { DELTA, parseDeltaIndex } from "../../../proto/image/delta.ts";
import { openDeltaObject } from "../../../proto/image/delta-piece.ts";
import { checkNextKeySet, parseKeySet } from "../../../proto/image/key-set.ts";
import { manifestBytes, parseManifest } from "../../../proto/image/manifest.ts";
import { PACK, parsePackIndex } from "../../../proto/image/pack.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { checkStatement, parseSignedStatement } from "../../../proto/image/statement.ts";
import { FIRST_KEYS, STATEMENT, TRUSTED } from "./good.ts";
import { OLD } from "./tree.ts";

const digestOf = (content: Buffer) => hash("sha256", content);

type Read = (bytes: Buffer) => unknown;

function trailerAndIndex(kind: ContainerKind, bytes: Buffer) {
  checkHead(kind, bytes);
  const trailer = parseTrailer(kind, bytes.subarray(-TRAILER_BYTES), bytes.length);
  return { trailer, stored: bytes.subarray(trailer.indexOffset, trailer.indexOffset + trailer.indexBytes) };
}

/** By kind; each throws `HpsError` for what it refuses. */
export const READERS: Readonly<Record<string, Read>> = {
  manifest: (bytes) => parseManifest(bytes),
  "stored-manifest": (bytes) => parseManifest(manifestBytes(bytes, STATEMENT.digest)),
  pack: (bytes) => {
    const { trailer, stored } = trailerAndIndex(PACK, bytes);
    return parsePackIndex(stored, trailer).frames.flatMap((frame) =>
      openFrame(bytes.subarray(frame.offset, frame.offset + frame.compressedBytes), frame).map(digestOf),
    );
  },
  delta: (bytes) => {
    const { trailer, stored } = trailerAndIndex(DELTA, bytes);
    return parseDeltaIndex(stored, trailer).objects.map((object) => {
      const windows = object.pieces.map(({ window }) =>
        window === undefined ? undefined : OLD[window.path]?.subarray(window.offset, window.offset + window.length),
      );
      return digestOf(
        openDeltaObject(object, bytes.subarray(object.offset, object.offset + object.compressedBytes), windows),
      );
    });
  },
  signature: (bytes) => checkStatement(parseSignedStatement(bytes), [TRUSTED], STATEMENT),
  "key-set": (bytes) => checkNextKeySet(FIRST_KEYS, parseKeySet(bytes)),
};
