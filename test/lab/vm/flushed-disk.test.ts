import { expect, test } from "vitest";
import { writesIn } from "./flushed-disk.ts";

const SECTOR = 512;

function sector(...words: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  for (const [at, word] of words.entries()) bytes.writeBigUInt64LE(word, at * 8);
  return bytes;
}

const head = (entries: bigint) => sector(0x6a736677736872n, 1n, entries, BigInt(SECTOR));
const write = (at: bigint, fill: number) => Buffer.concat([sector(at, 1n, 0n), Buffer.alloc(SECTOR, fill)]);
const flush = sector(0n, 0n, 1n);

test("what was written before the last flush is kept, in its order; what came later is lost", () => {
  const log = Buffer.concat([head(5n), write(3n, 1), write(3n, 2), flush, write(4n, 3), write(5n, 4), write(6n, 5)]);
  const { kept, later } = writesIn(log);
  expect(kept.map(({ at, data }) => [at, data[0], data.length])).toEqual([
    [3 * SECTOR, 1, SECTOR],
    [3 * SECTOR, 2, SECTOR],
  ]);
  expect(later).toBe(3 * 2 * SECTOR);
});

test("a log of another form, and an entry of another kind than a write or a flush, are refused", () => {
  expect(() => writesIn(Buffer.alloc(SECTOR))).toThrow("no log of writes");
  expect(() => writesIn(Buffer.concat([head(1n), sector(0n, 8n, 4n)]))).toThrow("has flags 4");
});
