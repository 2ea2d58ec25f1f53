import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diskDigest } from "./disk-digest.ts";
import { labFolder } from "./janitor.ts";
import { must } from "./run.ts";

const MIB = 1024 ** 2;

test("the digest of a disk is another when one byte is, wherever that lies, and the same when none is", async () => {
  const folder = await labFolder();
  const file = join(folder, "disk");
  await using disk = await open(file, "wx+");
  const put = (byte: number, at: number) => disk.write(Buffer.from([byte]), 0, 1, at);
  await disk.truncate(9 * MIB + 5);
  await put(7, 4 * MIB);
  const before = await diskDigest(file);
  const seen = new Set([before]);
  for (const at of [0, 4 * MIB, 4 * MIB + 1, 9 * MIB + 4]) {
    await put(1, at);
    seen.add(await diskDigest(file));
    await put(0, at);
  }
  expect(seen.size).toBe(5);
  await put(7, 4 * MIB);
  expect(await diskDigest(file)).toBe(before);
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  await disk.truncate(9 * MIB + 6);
  expect(await diskDigest(file)).not.toBe(before);
  await rm(folder, { recursive: true });
});

test("zeros are zeros: written, promised to the disk, or read since", async () => {
  const folder = await labFolder();
  const file = join(folder, "disk");
  await must(["truncate", "--size", "9M", file]);
  await writeFile(file, "x", { flag: "r+" });
  const before = await diskDigest(file);
  await must(["fallocate", "--offset", "1M", "--length", "4M", file]);
  expect(await diskDigest(file)).toBe(before);
  await readFile(file);
  expect(await diskDigest(file)).toBe(before);
  await must(["dd", "if=/dev/zero", `of=${file}`, "conv=notrunc", "bs=1M", "seek=6", "count=2", "status=none"]);
  expect(await diskDigest(file)).toBe(before);
  await rm(folder, { recursive: true });
});
