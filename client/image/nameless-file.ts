/** Files without a name, for what an import needs while it goes on: they are gone with this process, however it ends. */
import { randomBytes } from "node:crypto";
import { openSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../proto/config/overrides.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";

/** Where `TMPDIR` says, else /var/tmp: what Debian 13 keeps in /tmp it keeps in memory. */
export function temporaryFolder({ TMPDIR }: Environment): string {
  return TMPDIR || "/var/tmp";
}

/** Opens one for reading and writing; `expected` bytes are about to come, as far as anybody knows. */
export function openNameless(folder: string, expected: number): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < expected) throw noRoom(folder, bavail * bsize, expected);
    const path = join(folder, `hps-import-${randomBytes(8).toString("hex")}`);
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  } catch (cause) {
    throw fileError(folder, cause);
  }
}

/** Writes all of `bytes` to its place. */
export function writeNameless(fd: number, folder: string, { bytes, at }: { bytes: Uint8Array; at: number }): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  } catch (cause) {
    throw fileError(folder, cause);
  }
}

const ELSEWHERE = "free some, or name a larger folder by TMPDIR; an image's content is kept there while it is imported";

function noRoom(folder: string, free: number, expected: number): HpsError {
  const message = `${folder} has ${roundSize(free)} free; this image needs ${roundSize(expected)} or more while it is imported`;
  return new HpsError("exhausted", message, { hint: ELSEWHERE });
}

function fileError(folder: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof HpsError || !("code" in cause)) return cause;
  if (cause.code === "ENOSPC" || cause.code === "EDQUOT") {
    return new HpsError("exhausted", `no space is left in ${folder}`, { hint: ELSEWHERE, cause });
  }
  return new HpsError("invalid", `cannot write in the folder for temporary files, ${folder}`, {
    hint: "does it exist, and may you write there? TMPDIR names another",
    cause,
  });
}
