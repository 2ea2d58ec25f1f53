import { test } from "vitest";
import { openImageRig } from "./testing.ts";
import { bringOverlapping } from "./testing-overlap.ts";

test("again and again, whoever brings overlapping images at once has theirs whole", async () => {
  await using rig = await openImageRig({ maxBytes: 256 << 20 });
  await bringOverlapping(rig, 6);
});
