import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { afterPowerCut, DiskReplay, entriesIn, readWriteLog } from "./flushed-disk.ts";

const SECTOR = 512;

function sector(...words: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  for (const [at, word] of words.entries()) bytes.writeBigUInt64LE(word, at * 8);
  return bytes;
}

const head = (entries: bigint) => sector(0x6a736677736872n, 1n, entries, BigInt(SECTOR));
const write = (at: bigint, fill: number) => Buffer.concat([sector(at, 1n, 0n), Buffer.alloc(SECTOR, fill)]);
const flush = sector(0n, 0n, 1n);

test("what was written before a flush is told from what came later, in its order", () => {
  const log = Buffer.concat([head(5n), write(3n, 1), write(3n, 2), flush, write(4n, 3), write(5n, 4), write(6n, 5)]);
  const { writes, flushes, later } = readWriteLog(log);
  expect(writes.map(({ at, data }) => [at, data[0], data.length])).toEqual([
    [3 * SECTOR, 1, SECTOR],
    [3 * SECTOR, 2, SECTOR],
    [4 * SECTOR, 3, SECTOR],
    [5 * SECTOR, 4, SECTOR],
  ]);
  expect(flushes).toEqual([{ entries: 3, writes: 2 }]);
  expect(later).toBe(3 * 2 * SECTOR);
});

test("a disk goes from flush to flush; of what came after one, whatever is said is there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flushed-disk-"));
  const [disk, cut, log] = ["disk", "cut", "log"].map((name) => join(folder, name)) as [string, string, string]; // three names make three paths
  const seen = async (file: string) => [...(await readFile(file))].filter((_, at) => at % SECTOR === 0);
  try {
    const parts = [head(6n), write(0n, 1), flush, write(1n, 2), write(2n, 3), flush, write(3n, 4)];
    await writeFile(log, Buffer.concat(parts));
    await writeFile(disk, Buffer.alloc(4 * SECTOR));
    expect(await entriesIn(log)).toBe(6);
    const replay = await DiskReplay.open(disk, log);
    const [first, second] = replay.flushes;
    if (first === undefined || second === undefined) expect.unreachable();
    await replay.cutAfter(first, cut, () => false);
    expect(await seen(cut)).toEqual([1, 0, 0, 0]);
    let turn = 0;
    await replay.cutAfter(first, cut, () => {
      turn += 1;
      return turn === 2;
    });
    expect(await seen(cut)).toEqual([1, 0, 3, 0]);
    await replay.cutAfter(second, cut, () => false);
    expect(await seen(cut)).toEqual([1, 2, 3, 0]);
    await writeFile(disk, Buffer.alloc(4 * SECTOR));
    expect(await afterPowerCut(disk, log)).toBe(2 * SECTOR);
    expect(await seen(disk)).toEqual([1, 2, 3, 0]);
    await writeFile(log, "");
    expect(await entriesIn(log)).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a log of another form, and an entry of another kind than a write or a flush, are refused", () => {
  expect(() => readWriteLog(Buffer.alloc(SECTOR))).toThrow("no log of writes");
  expect(() => readWriteLog(Buffer.concat([head(1n), sector(0n, 8n, 4n)]))).toThrow("has flags 4");
});
