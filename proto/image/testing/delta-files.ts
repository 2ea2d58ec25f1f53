/** Deltas between small images, as a writer makes them and a reader takes them. */
import { createHash } from "node:crypto";
import { checkHead, parseTrailer, TRAILER_BYTES } from "../container.ts";
import { DELTA, DELTA_HEAD, type DeltaIndex, encodeDeltaEnd, parseDeltaIndex } from "../delta.ts";
import { type MadeObject, makeDeltaObjects } from "../delta-maker.ts";
import { openDeltaObject } from "../delta-piece.ts";
import { planDelta } from "../delta-plan.ts";
import type { SmallImage } from "./small-image.ts";

/** Stand for the digests of the manifests. */
export const BASE = Buffer.alloc(32, 1);
export const TARGET = Buffer.alloc(32, 2);

/** Bytes that do not compress, the same for one seed. */
export function noise(length: number, seed: string): Buffer {
  return createHash("shake256", { outputLength: length }).update(seed).digest();
}

/** What makes the one of the other. */
export async function makeAll(base: SmallImage, target: SmallImage): Promise<MadeObject[]> {
  const { objects } = target.manifest;
  const objectAt = (number: number) => objects[number] ?? { digest: BASE, length: 0 };
  const made: MadeObject[] = [];
  for (const task of planDelta(base.manifest, target.manifest)) {
    const content = {
      objects,
      old: async (...range: Parameters<SmallImage["read"]>) => base.read(...range),
      object: async (number: number) => target.contentOf(objectAt(number)),
    };
    for await (const object of makeDeltaObjects(task, content)) made.push(object);
  }
  return made;
}

/** A delta as it is stored. */
export function fileOf(made: readonly MadeObject[]): Buffer {
  const end = encodeDeltaEnd({ base: BASE, target: TARGET, objects: made.map(({ object }) => object) });
  return Buffer.concat([DELTA_HEAD, ...made.map(({ bytes }) => bytes), end]);
}

function indexOf(delta: Buffer): DeltaIndex {
  checkHead(DELTA, delta);
  const trailer = parseTrailer(DELTA, delta.subarray(-TRAILER_BYTES), delta.length);
  return parseDeltaIndex(delta.subarray(trailer.indexOffset, trailer.indexOffset + trailer.indexBytes), trailer);
}

/** Every object of the delta, as one with the old files makes it. */
export function contentsOf(delta: Buffer, base: SmallImage): Buffer[] {
  return indexOf(delta).objects.map((object) => {
    const windows = object.pieces.map(({ window }) =>
      window === undefined
        ? undefined
        : base.files.get(window.path)?.subarray(window.offset, window.offset + window.length),
    );
    return openDeltaObject(object, delta.subarray(object.offset, object.offset + object.compressedBytes), windows);
  });
}
