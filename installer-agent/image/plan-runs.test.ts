import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ListedFrame } from "../../proto/image/pack.ts";
import { extentsOf } from "./extents.ts";
import { RunPlanner } from "./plan-runs.ts";

const objects = Array.from({ length: 40 }, (_, number) => ({
  digest: createHash("sha256").update(`${number}`).digest(),
  length: 100 + number,
}));

const manifest = {
  objectCount: objects.length,
  digest: (number: number) => objects[number]?.digest ?? Buffer.alloc(0),
  find: (bytes: Buffer, offset = 0) => {
    const number = objects.findIndex(({ digest }) => digest.equals(bytes.subarray(offset, offset + digest.length)));
    return number === -1 ? undefined : number;
  },
};

/** Packs of frames of some of the objects, and how long each frame is. */
const anyPacks = fc.array(
  fc.array(
    fc.record({
      numbers: fc.uniqueArray(fc.nat(objects.length - 1), { minLength: 1, maxLength: 5 }),
      compressedBytes: fc.oneof(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 1, max: 40 << 20 })),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  { maxLength: 5 },
);

function framesOf(pack: readonly { readonly numbers: readonly number[]; readonly compressedBytes: number }[]) {
  let offset = 8;
  return pack.map(({ numbers, compressedBytes }): ListedFrame => {
    const held = numbers.flatMap((number) => objects[number] ?? []);
    const frame = {
      offset,
      compressedBytes,
      rawBytes: held.reduce((sum, { length }) => sum + length, 0),
      digests: Buffer.concat(held.map(({ digest }) => digest)),
      lengths: Uint32Array.from(held, ({ length }) => length),
    };
    offset += compressedBytes;
    return frame;
  });
}

test("each wanted object is planned once, from the first pack that has it; or the image is not complete", () => {
  const property = fc.property(anyPacks, fc.uniqueArray(fc.nat(objects.length - 1)), (packs, wanted) => {
    const planner = new RunPlanner(manifest, wanted);
    for (const pack of packs) planner.add(framesOf(pack));
    const firstPack = (number: number) =>
      packs.findIndex((pack) => pack.some(({ numbers }) => numbers.includes(number)));
    if (wanted.some((number) => firstPack(number) === -1)) {
      expect(() => planner.runs(() => true)).toThrow("the image is not complete");
      return;
    }
    const runs = planner.runs(() => true);
    const planned = runs.flatMap(({ file, parts }) =>
      parts.flatMap((part) => [...part.objects].filter((number) => number !== -1).map((number) => ({ file, number }))),
    );
    expect(planned.map(({ number }) => number).toSorted((one, other) => one - other)).toEqual(
      wanted.toSorted((one, other) => one - other),
    );
    for (const { file, number } of planned) expect(file).toBe(firstPack(number));
    for (const { from, to, parts } of runs) {
      expect([parts[0]?.offset, (parts.at(-1)?.offset ?? 0) + (parts.at(-1)?.compressedBytes ?? 0)]).toEqual([
        from,
        to,
      ]);
      if (parts.length > 1) expect(to - from).toBeLessThanOrEqual(64 << 20);
      const needed = parts.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
      expect(to - from - needed).toBeLessThanOrEqual((parts.length - 1) * 64 * 1024);
    }
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      if (before !== undefined && before.file === run.file) expect(run.from).toBeGreaterThanOrEqual(before.to);
    }
    expect(planner.runs(() => false)).toEqual([]);
  });
  fc.assert(property, { numRuns: 500 });
});

test("the objects of a file lie where its data does, one after the other", () => {
  const segments = fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 })), {
    maxLength: 6,
  });
  const property = fc.property(segments, (pairs) => {
    let at = 0;
    const list = pairs.map(([gap, blocks]) => {
      const segment = { offset: at + gap * 4096, size: blocks * 4096 };
      at = segment.offset + segment.size;
      return segment;
    });
    const extents = extentsOf({ size: at + 4096, segments: list });
    const lengths = extents.map((some) => some.reduce((sum, { size }) => sum + size, 0));
    const stored = list.reduce((sum, { size }) => sum + size, 0);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(stored);
    expect(lengths.slice(0, -1).every((length) => length === 4 << 20)).toBe(true);
    const bytesOf = (some: readonly { offset: number; size: number }[]) =>
      some.flatMap(({ offset, size }) => Array.from({ length: size / 4096 }, (_, block) => offset + block * 4096));
    expect(bytesOf(extents.flat())).toEqual(bytesOf(list));
  });
  fc.assert(property, { numRuns: 100 });
});
