import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { manifestBytes, parseManifest } from "../../../proto/image/manifest.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import type { PackRow } from "../../store/packs.ts";
import type { Images } from "./images.ts";
import { readPackIndex } from "./pack-frames.ts";

/** Expects every object of the image in these packs, each right by its digest, as an agent reads them. */
export async function readPacks(
  images: Images,
  { stored, digest: named }: { readonly stored: Uint8Array; readonly digest: string },
  packs: readonly PackRow[],
): Promise<void> {
  const { objects } = parseManifest(manifestBytes(stored, named));
  const missing = new Set(objects.map(({ digest }) => digest.toString("hex")));
  for (const pack of packs) {
    const file = images.indexedFile({ ...pack, kind: "pack" });
    const bytes = await readFile(file.path);
    expect(hash("sha256", bytes)).toBe(pack.digest);
    for (const frame of readPackIndex(file).frames) {
      openFrame(bytes.subarray(frame.offset, frame.offset + frame.compressedBytes), frame);
      for (const { digest } of frame.objects) missing.delete(digest.toString("hex"));
    }
  }
  expect([...missing]).toEqual([]);
}
