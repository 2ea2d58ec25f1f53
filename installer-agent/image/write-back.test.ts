import { closeSync, constants, openSync } from "node:fs";
import { expect, test } from "vitest";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { WriteBack } from "./write-back.ts";

const MUCH = 2 ** 40;

test("what the disk cannot write ends the work", async () => {
  using scratch = makeScratch();
  const folder = openSync(scratch.path, constants.O_RDONLY | constants.O_DIRECTORY);
  const disk = new WriteBack(folder);
  disk.written(MUCH);
  await disk.end();
  expect(() => disk.written(2 * MUCH)).not.toThrow();
  await disk.end();
  disk.check();
  closeSync(folder);
  const gone = new WriteBack(folder);
  gone.written(1);
  gone.written(MUCH);
  await gone.end();
  const why = expect.objectContaining({ code: "data-loss", message: expect.stringContaining("reports an error") });
  expect(() => gone.written(MUCH)).toThrow(why);
  expect(() => gone.check()).toThrow(why);
});
