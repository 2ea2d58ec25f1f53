/** For tests: images of packs that are brought to a library, and read back as agents do. */
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import type { openImageRig } from "./testing.ts";
import { readPacks } from "./testing-packs.ts";
import { noise, type TestImage, upload } from "./testing-upload.ts";

const MIB = 1 << 20;
export type Rig = Awaited<ReturnType<typeof openImageRig>>;

/** Files of about 256 KiB that do not compress: sixteen are a frame. */
export const filesOf = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, noise(name, MIB / 4 + name.length)]));
export const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `file-${String(from + at).padStart(3, "0")}`);

export async function brought(rig: Rig, name: string, image: TestImage, library = rig.a) {
  return await upload({ uploads: rig.uploads, clusterId: clusterOf(library), name, image });
}

function clusterOf(library: string): string | undefined {
  return library === "shared" ? undefined : library;
}

/** Reads the image as an agent does: every object from the first pack that has it, each checked. */
export async function readBack(rig: Rig, ref: string, image: TestImage, library = rig.a): Promise<void> {
  const row = await rig.images.get(clusterOf(library), ref);
  const stored = await readFile(rig.images.file(row).path);
  expect(stored).toHaveLength(row.sizeBytes);
  await readPacks(rig.images, { stored, digest: row.digest }, await rig.images.packsOf(row));
  expect(row).toMatchObject({ digest: image.digest, format: "packs" });
}

/** Sets a cluster's rule, past whoever may. */
export async function keepTags(rig: Rig, cluster: string, image_keep: number): Promise<void> {
  await rig.store.write(async (tx) => {
    await tx.updateTable("cluster").set({ image_keep }).where("id", "=", cluster).execute();
  });
}
