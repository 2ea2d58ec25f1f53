import fc from "fast-check";
import { expect, test } from "vitest";
import { DigestTable } from "./digest-table.ts";

test("digests have the numbers that they were given, however alike they are", () => {
  const alike = fc.nat(40).map((number) => Buffer.alloc(32, 7).fill(number, number % 32, (number % 32) + 1));
  const some = fc.array(fc.oneof(alike, fc.uint8Array({ minLength: 32, maxLength: 32 }).map(Buffer.from)));
  const property = fc.property(some, some, (digests, others) => {
    const bytes = Buffer.concat(digests);
    const table = new DigestTable(
      bytes,
      Uint32Array.from(digests, (_, number) => 32 * number),
    );
    const first = new Map<string, number>();
    for (const [number, digest] of digests.entries()) {
      const key = digest.toString("latin1");
      expect(table.add(number)).toBe(!first.has(key));
      if (!first.has(key)) first.set(key, number);
    }
    for (const digest of [...digests, ...others]) {
      const within = Buffer.concat([Buffer.alloc(3), digest]);
      expect(table.find(within, 3)).toBe(first.get(digest.toString("latin1")));
    }
  });
  fc.assert(property);
});
