import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lockFile, lockOneOf } from "./file-lock.ts";
import { startProgram } from "./program.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-lock-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("of two places a third owner gets the one that becomes free", async () => {
  const places = [join(folder, "a"), join(folder, "b")];
  await using first = await lockOneOf(places, 10_000);
  const second = await lockOneOf(places, 10_000);
  expect([first?.file, second?.file].sort()).toEqual(places);
  expect(await lockOneOf(places, 50)).toBeUndefined();
  const third = lockOneOf(places, 10_000);
  await second?.[Symbol.asyncDispose]();
  expect((await third)?.file).toBe(second?.file);
  await (await third)?.[Symbol.asyncDispose]();
});

test("a lock ends with its owner, killed with -9 too; until then another one is told who to ask", async () => {
  const file = join(folder, "mine");
  const code = `import { lockFile } from ${JSON.stringify(new URL("file-lock.ts", import.meta.url).href)};
    await lockFile(${JSON.stringify(file)}, 1000); console.log("held"); setInterval(() => {}, 1000);`;
  const owner = await startProgram({
    argv: [process.execPath, "--input-type=module", "-e", code],
    readyLine: /held/,
  });
  await expect(lockFile(file, 50)).rejects.toThrow(/is held by another process/);
  await owner.stop("SIGKILL");
  await using lock = await lockFile(file, 10_000);
  expect(lock.file).toBe(file);
});
