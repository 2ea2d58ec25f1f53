import { execFile } from "node:child_process";
import { constants, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

/** Two real pipes from a program: our ends as streams, the program's as descriptors to start it with and then close. */
export interface OutputPipes {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly theirs: readonly [number, number];
}

const MKFIFO_MS = 5_000;
const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/**
 * Node itself gives a program socket pairs, which cannot be opened as /dev/stdout or /dev/stderr; scripts do that. So
 * these are made with mkfifo(1), and have no name any more when this resolves. Rejects where it is missing. Not for
 * standard input: opened as /dev/stdin after its end, a named pipe would wait for ever where a socket is an error.
 */
export async function openOutputPipes(): Promise<OutputPipes> {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-pipes-"));
  try {
    const [out, err] = [path.join(folder, "stdout"), path.join(folder, "stderr")];
    await promisify(execFile)("mkfifo", ["-m", "600", out, err], { timeout: MKFIFO_MS });
    const stdout = openEnds(out);
    const stderr = openEnds(err);
    return { stdout: streamOf(stdout.ours), stderr: streamOf(stderr.ours), theirs: [stdout.theirs, stderr.theirs] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ours never blocks; the program's does, as programs expect. In this order neither open waits for the other. */
function openEnds(name: string): { readonly ours: number; readonly theirs: number } {
  const ours = openSync(name, O_RDONLY | O_NONBLOCK);
  return { ours, theirs: openSync(name, O_WRONLY) };
}

function streamOf(fd: number): Readable {
  return new Socket({ fd, readable: true, writable: false });
}
