import type { Command } from "commander";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Format } from "../output/formats.ts";
import { note, type Printer } from "../output/print.ts";
import type { Terminal } from "../output/terminal.ts";
import { connectTo, type Hps } from "../sdk/connect.ts";
import { type ContextChoice, readProfile } from "../sdk/profile.ts";
import { renewWhenDue } from "../sdk/renewal.ts";
import { skewWarningFrom } from "./server-version.ts";

/** Options every command has. */
export interface Globals {
  readonly context?: string;
  readonly cluster?: string;
  readonly server?: string;
  readonly output: Format;
  readonly timeout?: string;
}

/** One command being carried out: its words, its terminal, its connection. */
export class Call implements Printer, Disposable {
  readonly terminal: Terminal;
  /** The words that are not options. */
  readonly operands: readonly string[];
  readonly globals: Globals;
  readonly #command: Command;
  #hps: Hps | undefined;

  constructor(terminal: Terminal, command: Command) {
    this.terminal = terminal;
    this.#command = command;
    this.operands = command.args;
    this.globals = command.optsWithGlobals<Globals & Record<string, unknown>>();
  }

  get format(): Format {
    return this.globals.output;
  }

  /** The options of this command, in the shape its definition gives them. */
  options<Options extends object>(): Options {
    return this.#command.opts<Options & Record<string, unknown>>();
  }

  /** The operand at `index`, which the definition requires. */
  operand(index: number): string {
    return this.operands[index] ?? "";
  }

  /** For a call with one answer: ends when the user interrupts, or after `--timeout`. */
  get once(): CallOptions {
    return { ...this.stream, timeoutMs: this.#timeoutMs ?? 15_000 };
  }

  /** For a call that goes on: ends when the user interrupts, or after `--timeout` if one is given. */
  get stream(): CallOptions {
    const { signal } = this.terminal;
    return { signal, ...(this.#timeoutMs !== undefined && { timeoutMs: this.#timeoutMs }) };
  }

  get #timeoutMs(): number | undefined {
    const { timeout } = this.globals;
    return timeout === undefined ? undefined : parseDuration(timeout);
  }

  get contextChoice(): ContextChoice {
    const { context, cluster, server } = this.globals;
    return {
      environment: this.terminal.environment,
      ...(context !== undefined && { context }),
      ...(cluster !== undefined && { cluster }),
      ...(server !== undefined && { server }),
    };
  }

  /** The cluster a list is of: all when told so, or when none is chosen. */
  async listedCluster(): Promise<string> {
    const { allClusters = false } = this.options<{ allClusters?: true }>();
    return allClusters ? "" : ((await this.connect()).cluster ?? "");
  }

  /** Connects once; the operator's certificate is renewed first when that is due. */
  async connect(): Promise<Hps> {
    if (this.#hps !== undefined) return this.#hps;
    const read = await readProfile(this.contextChoice);
    const profile = await renewWhenDue(read, this.terminal.now()).catch(async (error: unknown) => {
      if (!(error instanceof HpsError)) throw error;
      await note(this.terminal, `warning: your certificate could not be renewed: ${error.message}`);
      return read;
    });
    this.#hps = connectTo(profile);
    return this.#hps;
  }

  /** Tells, after a command that went well, when hpsd and this hpsctl do not belong together. */
  async warnOfSkew(): Promise<void> {
    if (this.#hps === undefined || this.terminal.signal.aborted) return;
    const warning = await skewWarningFrom(this.#hps);
    if (warning !== undefined) await note(this.terminal, `warning: ${warning}`);
  }

  [Symbol.dispose](): void {
    this.#hps?.close();
  }
}
