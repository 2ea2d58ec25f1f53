import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** One block of the README's quick start. */
export interface Block {
  readonly commands: string;
  /** For what keeps running: the text that says it works. */
  readonly ready?: string;
}

export interface Quickstart {
  readonly blocks: readonly Block[];
  /** The example of the SDK. */
  readonly sdk: string;
}

const FENCE = /^```(\w+) (quickstart|sdk)([^\n]*)\n([\s\S]*?)^```$/gm;

/** The commands a newcomer is told to type, as they stand in the README. */
export function readQuickstart(readme: string): Quickstart {
  const found = [...readme.matchAll(FENCE)].map(([, , kind, info = "", text = ""]) => ({ kind, info, text }));
  const blocks = found.filter(({ kind }) => kind === "quickstart").map(({ info, text }) => blockOf(info, text));
  return { blocks, sdk: found.find(({ kind }) => kind === "sdk")?.text ?? "" };
}

function blockOf(info: string, text: string): Block {
  const ready = /ready="([^"]*)"/.exec(info)?.[1];
  return { commands: text.trim(), ...(ready !== undefined && { ready }) };
}

/** A block command by command, so that each one's output stands below it. A line that ends in a backslash goes on. */
export function commandsOf(block: Block): readonly Block[] {
  if (block.ready !== undefined) return [block];
  return block.commands.split(/(?<!\\)\n/).map((commands) => ({ commands }));
}

export interface RunnerOptions {
  /** Where the commands are typed. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Words put before each shell: `nsenter …`. */
  readonly prefix?: readonly string[];
  /** What a command prints, as it does. */
  readonly onOutput?: (text: string) => void;
}

const BLOCK_MS = 300_000;
const READY_MS = 60_000;

/** Types blocks into a shell as a person would: what one exports, the next has. Ends what it left running. */
export class QuickstartRunner implements AsyncDisposable {
  readonly #options: RunnerOptions;
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];
  #env: NodeJS.ProcessEnv;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#env = options.env;
    this.#folder = mkdtempSync(join(options.cwd, ".quickstart-"));
  }

  /** Resolves with what it printed; rejects when it fails. */
  async run(block: Block): Promise<string> {
    return block.ready === undefined
      ? await this.#foreground(block.commands)
      : await this.#background(block.commands, block.ready);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
      const ended = once(child, "exit");
      process.kill(-child.pid, "SIGTERM");
      const killing = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), 15_000);
      await ended;
      clearTimeout(killing);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #foreground(commands: string): Promise<string> {
    const kept = join(this.#folder, "env");
    const child = this.#spawn(`set -euo pipefail\n${commands}\nenv -0 > '${kept}'`);
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        this.#options.onOutput?.(text);
      });
    }
    const [code] = await once(child, "close", { signal: AbortSignal.timeout(BLOCK_MS) });
    if (code !== 0) throw new Error(`exit ${code} of:\n${commands}\n${printed}`);
    this.#env = Object.fromEntries(readFileSync(kept, "utf8").split("\0").filter(Boolean).map(splitVariable));
    return printed;
  }

  async #background(commands: string, ready: string): Promise<string> {
    const file = join(this.#folder, `output-${this.#running.length}`);
    const output = openSync(file, "w");
    const child = this.#spawn(commands, output);
    closeSync(output);
    this.#running.push(child);
    const end = Date.now() + READY_MS;
    while (!readFileSync(file, "utf8").includes(ready)) {
      if (child.exitCode !== null || Date.now() > end)
        throw new Error(`not ready:\n${commands}\n${readFileSync(file, "utf8")}`);
      await sleep(50);
    }
    const printed = readFileSync(file, "utf8");
    this.#options.onOutput?.(printed);
    return printed;
  }

  #spawn(script: string, output?: number): ChildProcess {
    const [program = "bash", ...args] = [...(this.#options.prefix ?? []), "bash", "-c", script];
    const out = output ?? "pipe";
    return spawn(program, args, {
      cwd: this.#options.cwd,
      env: this.#env,
      stdio: ["ignore", out, out],
      detached: true,
    });
  }
}

function splitVariable(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}
