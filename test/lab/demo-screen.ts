import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WriteStream } from "node:tty";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { InstallRack } from "./install-rack.ts";
import { inNamespace } from "./run.ts";

const HPSCTL = [process.execPath, new URL("../../client/main.ts", import.meta.url).pathname];
const COMMAND_MS = 10 * 60_000;

/** Tells what the demo does, types its commands, and keeps the logs of one that failed. */
export class DemoScreen {
  /** Where the logs are. */
  readonly logs: string;
  readonly #out: WriteStream;
  readonly #bold: boolean;
  readonly #began = performance.now();
  #rack: InstallRack | undefined;

  private constructor(out: WriteStream, bold: boolean, logs: string) {
    this.#out = out;
    this.#bold = bold;
    this.logs = logs;
  }

  static async open(out: WriteStream, environment: NodeJS.ProcessEnv): Promise<DemoScreen> {
    const bold = out.isTTY && (environment.NO_COLOR ?? "") === "";
    return new DemoScreen(out, bold, await mkdtemp(join(tmpdir(), "hps-demo-")));
  }

  /** Commands are typed for this rack's operator from now on. */
  attend(rack: InstallRack): void {
    this.#rack = rack;
  }

  /** What comes now, and how much time has passed. */
  stage(text: string): void {
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    this.tell(`\n${this.#strong(`[${String(seconds).padStart(3)} s] ${text}`)}`);
  }

  tell(text: string): void {
    this.#out.write(`${text}\n`);
  }

  quote(text: string): void {
    for (const line of text.split("\n")) this.tell(`  | ${line}`);
  }

  /** Hears a build's output, and shows its lines behind its name. */
  lines(name: string): (text: string) => void {
    let rest = "";
    return (text) => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") this.tell(`  ${name}: ${line}`);
    };
  }

  /** Types a command of hpsctl; what it shows is seen. Rejects when it fails. */
  async hpsctl(...words: readonly string[]): Promise<void> {
    await this.hpsctlWithin(COMMAND_MS, ...words);
  }

  async hpsctlWithin(limitMs: number, ...words: readonly string[]): Promise<void> {
    const rack = this.#rack;
    if (rack === undefined) throw new HpsError("internal", "the demo has no rack yet");
    this.tell(this.#strong(`$ hpsctl ${words.map(shown).join(" ")}`));
    const [command = "", ...args] = inNamespace(rack.rack.server.ns, [...HPSCTL, ...words]);
    // In our own process group: what it draws in place, it draws on our terminal, and Ctrl-C is for both.
    const child = spawn(command, args, {
      env: { ...process.env, ...rack.environment },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), Math.max(1000, limitMs));
    const [code, signal] = await once(child, "exit");
    clearTimeout(timer);
    if (code === 0) return;
    const how = signal === null ? `exit code ${code}` : `${signal}, after ${Math.round(limitMs / 1000)} s`;
    throw new HpsError("internal", `hpsctl ${words.join(" ")} ended with ${how}`);
  }

  /** While hpsd still runs: what it printed, and what it knows of the host's installation, as files beside the console's. */
  async keepLogs(host: string): Promise<void> {
    const rack = this.#rack;
    if (rack === undefined) return;
    await writeFile(join(this.logs, "hpsd.log"), rack.printed());
    for (const what of ["get", "log"]) {
      const { stdout, stderr } = await rack.hpsctl("installation", what, host);
      await writeFile(join(this.logs, `installation-${what}.log`), stdout + stderr);
    }
  }

  /** What went wrong, and where to look. */
  failed(error: unknown): void {
    const hint = error instanceof HpsError && error.hint !== "" ? `\nhint: ${error.hint}` : "";
    this.tell(`\n${this.#strong("The demo failed:")} ${error instanceof Error ? error.message : String(error)}${hint}`);
    const logs = readdirSync(this.logs);
    if (logs.length === 0) return;
    this.tell("Read, in this order:");
    for (const [name, what] of LOGS) {
      for (const log of logs.filter((file) => name.test(file))) this.tell(`  ${join(this.logs, log)}  ${what}`);
    }
  }

  async removeLogs(): Promise<void> {
    await rm(this.logs, { recursive: true, force: true });
  }

  #strong(text: string): string {
    return this.#bold ? `\x1b[1m${text}\x1b[0m` : text;
  }
}

const LOGS: readonly (readonly [RegExp, string])[] = [
  [/^installation-get/, "the step that failed, and why"],
  [/^installation-log/, "what the agent and its tools printed"],
  [/\.console$/, "the machine's console: firmware, boot, installer, installed system"],
  [/^hpsd/, "what hpsd and dnsmasq printed"],
];

/** A word as one types it. */
function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
