import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";

/** Where a program of the build runs. */
export interface ProgramPlace {
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly limitMs?: number;
}

const LIMIT_MS = 15 * 60_000;
const KEPT_LINES = 4;

/** Runs one program to its end and gives its standard output. An HpsError says which one failed, how, and what it said at last. */
export async function runProgram(argv: readonly string[], place: ProgramPlace): Promise<Buffer> {
  const { signal, environment, cwd, limitMs = LIMIT_MS } = place;
  const [program = "", ...args] = argv;
  const name = calledBy(argv);
  const limit = AbortSignal.timeout(limitMs);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...environment, LC_ALL: "C" },
    signal: AbortSignal.any([signal, limit]),
    killSignal: "SIGKILL",
    ...(cwd !== undefined && { cwd }),
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, killer) => resolve(code === 0 ? "" : (killer ?? `exit code ${code}`)));
  });
  try {
    const [stdout, stderr, how] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
    if (how !== "") throw failure(name, how, stderr.toString());
    return stdout;
  } catch (cause) {
    if (signal.aborted) throw new HpsError("cancelled", "interrupted; nothing was written", { cause });
    if (limit.aborted) throw new HpsError("deadline", `${quote(name)} took longer than ${limitMs / 1000} s`, { cause });
    throw cause instanceof HpsError ? cause : notStarted(name, cause);
  }
}

/** A program run by a loader of our own is meant, not the loader. */
function calledBy(argv: readonly string[]): string {
  const at = argv.indexOf("--argv0");
  return argv[at === -1 ? 0 : at + 1] ?? "";
}

function failure(name: string, how: string, said: string): HpsError {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const last = lines.slice(-KEPT_LINES).map((line) => quote(line, 300));
  return new HpsError(
    "precondition",
    `${quote(name)} failed (${how})${last.length > 0 ? `: ${last.join(", ")}` : ""}`,
    {
      cause: said,
    },
  );
}

function notStarted(name: string, cause: unknown): HpsError {
  return new HpsError("precondition", `the program ${quote(name)} cannot be run here`, {
    hint: "the installer is built on Debian or a system with apt and dpkg",
    cause,
  });
}
