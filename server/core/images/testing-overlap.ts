import { expect } from "vitest";
import { ALICE } from "../operations/testing.ts";
import { testImage } from "./testing-upload.ts";
import { brought, filesOf, type Rig, range, readBack } from "./testing-whole.ts";

/** Three images that share content, the same one twice and once in another library, all at one time, again and again. */
export async function bringOverlapping(rig: Rig, rounds: number): Promise<void> {
  await brought(rig, "base:1", testImage(filesOf(...range(0, 8))));
  for (let round = 0; round < rounds; round += 1) {
    const images = [0, 1, 2].map((who) =>
      testImage(filesOf(...range(round * 3, round * 3 + 6 + who), `own-${round}-${who}`)),
    );
    const results = await Promise.allSettled([
      ...images.map(async (image, who) => await brought(rig, `image:${round}.${who}`, image)),
      // The same image at once, in two libraries, under one name.
      brought(rig, `image:${round}.0`, images[0] ?? expect.unreachable()),
      brought(rig, `image:${round}`, images[1] ?? expect.unreachable(), rig.b),
    ]);
    expect(results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []))).toEqual([]);
    for (const [who, image] of images.entries()) await readBack(rig, `image:${round}.${who}`, image);
    await readBack(rig, `image:${round}`, images[1] ?? expect.unreachable(), rig.b);
    // Names go while others come: nothing that is named is taken away.
    if (round > 0) await rig.images.delete(ALICE, rig.a, `image:${round - 1}.1`);
  }
  const { images } = await rig.images.list({ clusters: "all", shared: true, limit: 99 });
  expect(images).toHaveLength(1 + rounds * 4 - (rounds - 1));
  expect(rig.failures).toEqual([]);
}
