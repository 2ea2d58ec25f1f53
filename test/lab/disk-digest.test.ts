import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diskDigest } from "./disk-digest.ts";
import { labFolder } from "./janitor.ts";

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
  const after = await diskDigest(file);
  expect(after).toMatch(/^[0-9a-f]{64}$/);
  await put(7, 4 * MIB);
  expect(await diskDigest(file)).toBe(after);
  await rm(folder, { recursive: true });
});
