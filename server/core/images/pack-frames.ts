/** What packs have of an image, by their indexes. Reads from the disk at once: for threads that do nothing else meanwhile. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import { PACK, type PackIndex, parsePackIndex } from "../../../proto/image/pack.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import type { PlannedPack } from "./run-plan.ts";

/** The index of a pack, checked by its trailer. `data-loss` for a file that is gone, of another length or damaged. */
export function readPackIndex({ path, digest, sizeBytes }: StoredFile): PackIndex {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      if (size !== sizeBytes) throw new Error(`it has ${size} bytes, not ${sizeBytes}`);
      const trailer = parseTrailer(PACK, readAt(file, size - TRAILER_BYTES, TRAILER_BYTES), size);
      return parsePackIndex(readAt(file, trailer.indexOffset, trailer.indexBytes), trailer);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new HpsError("data-loss", `pack ${digest} of hpsd's library cannot be read`, {
      hint: "hpsctl image verify says what is damaged",
      cause,
    });
  }
}

/** Which objects of an image each pack has. One that cannot be read has none: what it held is stored again. */
export function plannedPacks(objects: readonly ImageObject[], packs: readonly StoredFile[]): readonly PlannedPack[] {
  const numbers = new Map(objects.map(({ digest }, number) => [keyOf(digest), number]));
  return packs.map((pack) => {
    try {
      return plannedPack(readPackIndex(pack), numbers);
    } catch (error) {
      if (error instanceof HpsError) return [];
      throw error;
    }
  });
}

function plannedPack({ frames }: PackIndex, numbers: ReadonlyMap<string, number>): PlannedPack {
  return frames.flatMap(({ objects, compressedBytes, rawBytes }, place) => {
    const own = objects.flatMap(({ digest }) => numbers.get(keyOf(digest)) ?? []);
    return own.length === 0 ? [] : [{ place, bytes: compressedBytes, rawBytes, objects: own }];
  });
}

function keyOf(digest: Buffer): string {
  return digest.toString("latin1");
}

/** Exactly so many bytes. */
export function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const count = readSync(file, bytes, at, length - at, position + at);
    if (count === 0) throw new HpsError("data-loss", "it was cut while it was read");
    at += count;
  }
  return bytes;
}
