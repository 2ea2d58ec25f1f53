import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HpsError } from "../values/hps-error.ts";
import { quote } from "../values/safe-text.ts";

const LIMIT = 1_048_576;

/** The text of a regular file of at most 1 MiB; undefined when there is none. What is not UTF-8, too long or unreadable is an HpsError. */
export async function readSmallFile(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, "r");
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > LIMIT)
      throw new HpsError("invalid", `${quote(path, 200)} is not a file of at most 1 MiB`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
  } catch (cause) {
    if (cause instanceof HpsError) throw cause;
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new HpsError("invalid", `cannot read ${quote(path, 200)}: ${codeOf(cause) ?? "it is not UTF-8"}`, { cause });
  }
}

/**
 * Writes `text` so that `path` holds the old or the new text whole, whatever happens: a new file (0600) beside it, synced, put in its place.
 * Makes the folder (0700) when missing and follows a link at `path`.
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const target = await realpath(path).catch(() => path);
    const beside = `${target}.${randomBytes(6).toString("hex")}`;
    try {
      await writeSynced(beside, text);
      await rename(beside, target);
    } catch (cause) {
      await rm(beside, { force: true });
      throw cause;
    }
    await using folder = await open(dirname(target), "r");
    await folder.sync();
  } catch (cause) {
    throw new HpsError("unavailable", `cannot write ${quote(path, 200)}: ${codeOf(cause) ?? "unknown reason"}`, {
      cause,
    });
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** The system's name for what went wrong: `EACCES`. */
function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
