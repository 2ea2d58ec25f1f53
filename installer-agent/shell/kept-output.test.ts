import fc from "fast-check";
import { expect, test } from "vitest";
import { Bell } from "../../proto/flow/bell.ts";
import { KeptOutput } from "./kept-output.ts";

test("what is read is what was put, whatever was forgotten and however the ring turns", async () => {
  const step = fc.record({ put: fc.uint8Array({ maxLength: 20 }), forget: fc.nat(30), read: fc.nat(20) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 16 }), async (steps, capacity) => {
      const kept = new KeptOutput(capacity, new Bell());
      const all: number[] = [];
      for (const { put, forget, read } of steps) {
        const fitting = put.subarray(0, capacity - (kept.next - kept.first));
        expect(await kept.put(fitting)).toBe(true);
        all.push(...fitting);
        expect(kept.next).toBe(all.length);
        kept.forget(forget);
        const from = Math.min(kept.first + read, kept.next);
        expect([...kept.read(from, 7)]).toEqual(all.slice(from, from + 7));
        expect(kept.next - kept.first).toBeLessThanOrEqual(capacity);
      }
    }),
    { numRuns: 200 },
  );
});

test("what has no room waits until some is forgotten, or nobody wants it", async () => {
  const kept = new KeptOutput(4, new Bell());
  const putting = kept.put(Buffer.from("abcdef"));
  expect([kept.first, kept.next]).toEqual([0, 4]);
  kept.forget(2);
  expect(await putting).toBe(true);
  expect(Buffer.from(kept.read(2, 10)).toString()).toBe("cdef");
  const waiting = kept.put(Buffer.from("g"));
  kept.close();
  expect(await waiting).toBe(false);
  expect(() => kept.read(1, 1)).toThrow("is not kept");
});
