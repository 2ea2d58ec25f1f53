import { open, readFile, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { HpsError } from "../../proto/values/hps-error.ts";
import { isRunning } from "./new-state.ts";

const markSchema = z.object({ pid: z.int(), state: z.string() });

/**
 * Runs `make`, which writes the root's key to `file` and its certificate to `file`.pem, so that they stay only when all of
 * it went well. A mark beside them tells the next attempt what one that was killed left: without a state folder the key is
 * of no root.
 */
export async function withRootKeyFile<T>(file: string, state: string, make: () => Promise<T>): Promise<T> {
  const mark = `${file}.unfinished`;
  const files = [file, `${file}.pem`];
  if (await isAbandoned(mark, state)) await removeAll([...files, mark]);
  for (const each of files) await refuseExisting(each);
  await writeMark(mark, state);
  try {
    return await make();
  } catch (error) {
    await removeAll(files);
    throw error;
  } finally {
    await removeAll([mark]);
  }
}

async function isAbandoned(mark: string, state: string): Promise<boolean> {
  try {
    const { pid, state: wanted } = markSchema.parse(JSON.parse(await readFile(mark, "utf8")));
    return wanted === state && !isRunning(pid);
  } catch {
    return false;
  }
}

async function refuseExisting(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found !== undefined) throw new HpsError("exists", `${file} exists`, { hint: "it may be another root's key" });
}

async function writeMark(mark: string, state: string): Promise<void> {
  try {
    await using handle = await open(mark, "wx", 0o600);
    await handle.writeFile(`${JSON.stringify({ pid: process.pid, state })}\n`);
    await handle.sync();
  } catch (cause) {
    throw new HpsError("precondition", `cannot write ${mark}`, {
      hint: "its folder must exist and be writable, and no other hpsd init may run",
      cause,
    });
  }
}

async function removeAll(files: readonly string[]): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}
