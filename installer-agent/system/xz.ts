import { kill } from "node:process";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ByteSource } from "../../proto/tree/compression/byte-source.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { type RunningCommand, runCommand } from "./run-command.ts";

/** More than `xz -9` needs, less than a small machine has. */
const MEMORY = "256MiB";
const LONGEST_WORDS = 1_000;

/**
 * The content of xz data, by the program xz: any number of streams one after the other. Throws the source's own error, or
 * `invalid` with xz's words when the data is damaged. Reads no further than its reader does.
 */
export async function* xzContent(source: ByteSource): AsyncGenerator<Buffer, void> {
  const argv = ["xz", "--decompress", "--stdout", `--memlimit-decompress=${MEMORY}`];
  const program = await runCommand(argv, { env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, cwd: "/" });
  const words = wordsOf(program.stderr);
  const feeding = pipeline(source, program.stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    yield* program.stdout;
    await finish(program, { feeding, words });
  } finally {
    end(program);
  }
}

interface Ending {
  readonly feeding: Promise<unknown>;
  readonly words: () => string;
}

async function finish({ exited }: RunningCommand, { feeding, words }: Ending): Promise<void> {
  const [failure, { code }] = [await feeding, await exited];
  if (failure instanceof HpsError) throw failure;
  if (code !== 0) throw new HpsError("invalid", `the archive's xz data is damaged: ${quote(words().trim(), 200)}`);
  if (failure !== undefined) throw failure;
}

function wordsOf(stderr: Readable): () => string {
  let text = "";
  stderr.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(0, LONGEST_WORDS);
  });
  return () => text;
}

/** Also when its reader went away. */
function end({ pid, stdin, stdout, stderr }: RunningCommand): void {
  for (const stream of [stdin, stdout, stderr]) stream.destroy();
  try {
    kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
