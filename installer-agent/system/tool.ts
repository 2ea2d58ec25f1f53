import { kill } from "node:process";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { type ProgramExit, type RunningCommand, runCommand } from "./run-command.ts";

export interface ToolOptions {
  readonly signal: AbortSignal;
  /** Gets the command line and every line of output as it comes; what a device or an archive says may be in it. */
  readonly log: (line: string) => void;
  readonly limitMs: number;
  /** Written to its standard input, which then ends; absent: it ends at once. */
  readonly input?: string;
  /** Exit codes that are no failure; 0 alone unless told. */
  readonly accept?: readonly number[];
  /** The standard output is for the caller alone, not for the log. */
  readonly quiet?: boolean;
}

const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", TERM: "dumb" };
const OUTPUT_LIMIT = 4 * 1024 * 1024;
const LONGEST_LINE = 500;
const LAST_LINES = 3;
/** How long a program may take to end when asked to, before it is killed. */
const TERM_MS = 2_000;
/** How long what a program left behind may hold its pipes. */
const PIPES_MS = 2_000;

/**
 * Runs one program to its end, without a shell, and gives its standard output. When it ends badly, takes longer than
 * `limitMs`, or the signal comes, it and all it started are ended, and this throws: naming the program, how it ended and
 * what it last said.
 */
export async function runTool(argv: readonly string[], options: ToolOptions): Promise<string> {
  const { signal, log, limitMs, input = "", accept = [0], quiet = false } = options;
  const [name = ""] = argv;
  signal.throwIfAborted();
  log(`$ ${argv.map(shown).join(" ")}`);
  const command = await runCommand(argv, { env: ENVIRONMENT, cwd: "/" });
  const last: string[] = [];
  const say = (line: string) => {
    last.splice(0, last.length - LAST_LINES + 1);
    last.push(line);
  };
  const output: string[] = [];
  const reading = Promise.all([
    readText(command.stdout, { keep: output, line: (line) => both(line, say, quiet ? undefined : log) }),
    readText(command.stderr, { line: (line) => both(line, say, log) }),
  ]);
  command.stdin.end(input);
  const exit = await endOf(command, signal, limitMs);
  await closePipes(command, reading);
  signal.throwIfAborted();
  if (exit === undefined) throw overdue(name, limitMs, last);
  if (!accept.includes(exit.code)) throw failed(name, exit, last);
  return output.join("");
}

/** Undefined when it took too long. */
async function endOf(command: RunningCommand, signal: AbortSignal, limitMs: number): Promise<ProgramExit | undefined> {
  const aborted = Promise.withResolvers<void>();
  const abort = () => aborted.resolve();
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const ended = await settlesWithin(Promise.race([command.exited, aborted.promise]), limitMs);
  signal.removeEventListener("abort", abort);
  if (ended && !signal.aborted) return command.exited;
  killGroup(command.pid, "SIGTERM");
  await settlesWithin(command.exited, TERM_MS);
  killGroup(command.pid, "SIGKILL"); // also what it started, where that lives on
  // One that hangs in the kernel does not die of SIGKILL either; then nobody waits for it.
  await settlesWithin(command.exited, TERM_MS);
  return undefined;
}

function killGroup(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    kill(-pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

async function closePipes({ stdout, stderr }: RunningCommand, reading: Promise<unknown>): Promise<void> {
  await settlesWithin(reading, PIPES_MS);
  for (const stream of [stdout, stderr]) stream.destroy();
}

interface TextReader {
  readonly keep?: string[];
  readonly line: (line: string) => void;
}

/** Also a carriage return ends a line: programs draw their progress with it. */
async function readText(stream: Readable, { keep, line }: TextReader): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let kept = 0;
  stream.on("data", (chunk: Buffer) => {
    const text = decoder.write(chunk);
    kept += text.length;
    if (kept <= OUTPUT_LIMIT) keep?.push(text);
    const lines = (rest + text).split(/[\r\n]+/);
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const one of lines) if (one.trim() !== "") line(one.slice(0, LONGEST_LINE).trimEnd());
  });
  await finished(stream, { writable: false }).catch(() => undefined); // destroyed by closePipes
  if (rest.trim() !== "") line(rest.trimEnd());
}

function both(line: string, say: (line: string) => void, log: ((line: string) => void) | undefined): void {
  say(line);
  log?.(line);
}

function shown(argument: string): string {
  return /^[\w./:=,+@%^-]+$/.test(argument) ? argument : quote(argument, 200);
}

function failed(name: string, { code, signal }: ProgramExit, last: readonly string[]): HpsError {
  const how = signal === 0 ? `ended with code ${code}` : `was killed by signal ${signal}`;
  return new HpsError("precondition", `${name} ${how}${saidAtLast(last)}`, {
    details: { program: name, code: `${code}` },
  });
}

function overdue(name: string, limitMs: number, last: readonly string[]): HpsError {
  return new HpsError("deadline", `${name} was ended: it took longer than ${limitMs / 1000} s${saidAtLast(last)}`);
}

function saidAtLast(last: readonly string[]): string {
  return last.length === 0 ? " and said nothing" : `: ${last.map((line) => quote(line, 200)).join(", ")}`;
}
