import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";

/** `exists` unless the folder is missing or empty: nothing of anyone's is ever replaced. */
export async function refuseUsedState(state: string): Promise<void> {
  const names = await readdir(state).catch((error: unknown): string[] => {
    if (codeOf(error) === "ENOENT") return [];
    throw new HpsError("precondition", `cannot read ${state}`, { cause: error });
  });
  if (names.length > 0) throw usedError(state, names.includes("hpsd.db"));
}

/**
 * The state folder, whole or not at all: `fill` works in a folder beside it, which takes its place at the end. What an
 * earlier attempt that was killed left there goes first.
 */
export async function makeState<T>(
  state: string,
  command: "init" | "restore",
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  await refuseUsedState(state);
  const parent = path.dirname(state);
  await mkdir(parent, { recursive: true });
  await removeLeftovers(state);
  const made = `${state}.${command}-${process.pid}`;
  try {
    await mkdir(made, { mode: 0o700 });
    const result = await fill(made);
    await syncFolder(made);
    await rename(made, state);
    await syncFolder(parent);
    return result;
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw asHpsError(error, state);
  }
}

/** Whether a process has this id, as far as we may know. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

async function removeLeftovers(state: string): Promise<void> {
  const parent = path.dirname(state);
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(`${path.basename(state)}.`) && /\.(?:init|restore)-(\d{1,10})$/.exec(name)?.[1];
    if (pid && !isRunning(Number(pid))) await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

function usedError(state: string, hasStore: boolean): HpsError {
  const message = hasStore ? `${state} holds an hpsd already` : `${state} is not empty`;
  const hint = hasStore
    ? "start it with hpsd serve (hpsd recover-admin invites an admin anew), or move it away first"
    : "name an empty folder";
  return new HpsError("exists", message, { hint });
}

function asHpsError(error: unknown, state: string): unknown {
  if (error instanceof HpsError) return error;
  const code = codeOf(error);
  // Someone else was faster.
  if (code === "ENOTEMPTY" || code === "EEXIST") return usedError(state, true);
  if (code === undefined) return error;
  const hint =
    code === "EBUSY" || code === "EXDEV"
      ? "it cannot be a mount point itself: name a folder in it"
      : "hpsd needs to write in the folder above it";
  return new HpsError("precondition", `cannot make ${state}: ${code}`, { hint, cause: error });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
