import { spawn } from "node:child_process";
import { HpsError } from "../../proto/values/hps-error.ts";

export interface FileLock extends AsyncDisposable {
  readonly file: string;
}

/**
 * Holds the lock of one of these files, whichever is free first, among all processes of this machine. It is held by a child that ends with
 * this process, however that ends. `undefined` when none became free within `limitMs`.
 */
export async function lockOneOf(files: readonly string[], limitMs: number): Promise<FileLock | undefined> {
  const tries = files.map((file) => tryLock(file, limitMs));
  const winner = await firstDefined(tries.map(({ locked }) => locked));
  // Those still waiting, and those that came second.
  await Promise.all(tries.filter(({ file }) => file !== winner?.file).map(({ end }) => end()));
  return winner;
}

/** As `lockOneOf` of one file, but late is an error. */
export async function lockFile(file: string, limitMs: number): Promise<FileLock> {
  const lock = await lockOneOf([file], limitMs);
  if (lock === undefined) {
    throw new HpsError("deadline", `${file} is held by another process since ${limitMs / 1000} s`, {
      hint: `fuser -v ${file} names it`,
    });
  }
  return lock;
}

/** `flock` runs `cat`, which says that the lock is held, and reads until we end. */
function tryLock(file: string, limitMs: number) {
  const wait = String(Math.max(limitMs / 1000, 0.001));
  const args = ["--wait", wait, file, "sh", "-c", "echo held; exec cat"];
  const child = spawn("flock", args, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<undefined>((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("close", () => resolve(undefined));
  });
  const end = async () => {
    child.stdin.end();
    // One that waits for the lock does not read yet.
    if (child.pid !== undefined && child.exitCode === null) child.kill("SIGTERM");
    await ended;
  };
  const held = new Promise<FileLock>((resolve) => {
    child.stdout.once("data", () => resolve({ file, [Symbol.asyncDispose]: end }));
  });
  return { file, end, locked: Promise.race([held, ended]) };
}

/** The first that is not `undefined`; `undefined` when all are. */
async function firstDefined<T>(all: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const found = all.map(async (one) => {
    const value = await one;
    if (value === undefined) throw new Error("none");
    return value;
  });
  return await Promise.any(found).catch(() => undefined);
}
