import { spawn } from "node:child_process";
import { HpsError } from "../../proto/values/hps-error.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Network namespace to run in; the caller's own when absent. */
  readonly ns?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** The command line that runs `argv` in the namespace; nsenter replaces itself, so the pid is the program's own. */
export function inNamespace(ns: string | undefined, argv: readonly string[]): readonly string[] {
  return ns === undefined ? argv : ["nsenter", `--net=/run/netns/${ns}`, "--", ...argv];
}

/** Runs a command to its end, however it ends; killed after `timeoutMs` (30 s unless told), which throws `deadline`. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program = "", ...args] = inNamespace(options.ns, argv);
  const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: "pipe", detached: true });
  child.stdin.on("error", () => undefined); // a program may end without reading
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= OUTPUT_LIMIT) into.push(chunk);
    };
    child.stdout.on("data", keep(out));
    child.stderr.on("data", keep(err));
    const timer = setTimeout(() => {
      killGroup(child.pid, "SIGKILL");
      reject(new HpsError("deadline", `${argv.join(" ")}: not done in time: ${Buffer.concat(err)}`));
    }, options.timeoutMs ?? 30_000);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new HpsError("precondition", `cannot run ${program}`, { cause }));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
      resolve({ code: code ?? (signal === null ? 1 : 128), stdout: text(out), stderr: text(err) });
    });
  });
}

/** Like `run`, but a non-zero exit is an error that shows what the command said. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const done = await run(argv, options);
  if (done.code !== 0) {
    throw new HpsError("internal", `${argv.join(" ")}: exit ${done.code}: ${done.stderr || done.stdout}`);
  }
  return done.stdout;
}

/** Signals a process group whose leader is `pid`; one that is gone already is fine. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
