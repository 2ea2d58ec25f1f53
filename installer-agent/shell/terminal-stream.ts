import type { Bell } from "../../proto/flow/bell.ts";
import type { ServeShellResponse } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { KeptOutput } from "./kept-output.ts";
import type { Program } from "./program.ts";
import { type ProgramInput, TAKEN_STEP } from "./program-input.ts";
import {
  applyToProgram,
  endedBecause,
  inputTaken,
  LEAVE_MS,
  MESSAGE_BYTES,
  type ServeShell,
  type ShellMessage,
} from "./served-session.ts";

/** How long hpsd may take to say from where a terminal goes on. */
const RESUME_MS = 20_000;

/**
 * A terminal gives 4 kB at a time: what comes so soon behind a message waits so long for more. What comes first, as the echo of
 * a key does, never waits.
 */
const GATHER_MS = 2;

/** A terminal, whichever stream it is on. */
export interface ServedTerminal {
  readonly id: string;
  readonly program: Program;
  readonly kept: KeptOutput;
  readonly input: ProgramInput;
  /** Rings when one of these has changed. */
  readonly bell: Bell;
  /** The last message, once the program has ended and all of its output is kept. */
  readonly exit: () => ShellMessage | undefined;
}

/** One stream of a terminal: its first, or one that goes on where hpsd says. */
export class TerminalStream {
  readonly #terminal: ServedTerminal;
  readonly #onResumed: (() => void) | undefined;
  readonly #cut = new AbortController();
  /** Of the output that is sent next; not known before hpsd has said it. */
  #offset: number | undefined;
  #toldTaken: number;
  #sentAt = Number.NEGATIVE_INFINITY;
  #gathering: NodeJS.Timeout | undefined;
  #ending: { readonly why: unknown } | undefined;
  #limit: NodeJS.Timeout | undefined;

  /** `onResumed` makes it one that goes on, and is called when it does. */
  constructor(terminal: ServedTerminal, onResumed?: () => void) {
    this.#terminal = terminal;
    this.#onResumed = onResumed;
    this.#offset = onResumed === undefined ? 0 : undefined;
    this.#toldTaken = onResumed === undefined ? 0 : -TAKEN_STEP;
  }

  /** Resolves when hpsd has ended the session, rejects with what cut the stream or with what `end` was called with. */
  async run(serve: ServeShell, signal: AbortSignal): Promise<void> {
    const { program, input, bell } = this.#terminal;
    const stop = AbortSignal.any([signal, this.#cut.signal]);
    stop.addEventListener("abort", () => bell.ring(), { once: true });
    try {
      for await (const response of serve(this.#requests(stop), { signal: stop })) {
        if (this.#ending === undefined) this.#take(response, program, input);
      }
    } catch (error) {
      throw this.#ending?.why ?? (this.#cut.signal.aborted ? this.#cut.signal.reason : error);
    } finally {
      clearTimeout(this.#limit);
      clearTimeout(this.#gathering);
      this.#cut.abort();
    }
    if (this.#ending !== undefined) throw this.#ending.why;
  }

  /** Ends the session from this side; hpsd is told why. */
  end(why: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = { why };
    this.#terminal.bell.ring();
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#cut.abort(why), LEAVE_MS);
  }

  #take(response: ServeShellResponse, program: Program, input: ProgramInput): void {
    try {
      if (response.message.case === "recorded") this.#recorded(Number(response.message.value));
      else applyToProgram(response, program, input);
    } catch (error) {
      this.end(error);
    }
  }

  #recorded(bytes: number): void {
    const { kept } = this.#terminal;
    if (this.#offset === undefined) {
      if (bytes < kept.first || bytes > kept.next) throw notThere(bytes, kept);
      clearTimeout(this.#limit);
      this.#offset = bytes;
      this.#onResumed?.();
    } else if (bytes > this.#offset) {
      throw new HpsError("invalid", `hpsd says that ${bytes} bytes are recorded, of ${this.#offset} that it was sent`);
    }
    kept.forget(bytes);
    this.#terminal.bell.ring();
  }

  async *#requests(stop: AbortSignal): AsyncGenerator<ShellMessage, void> {
    const { bell } = this.#terminal;
    yield this.#opening();
    if (this.#offset === undefined) this.#limit = setTimeout(() => this.#cut.abort(lateError()), RESUME_MS);
    while (!stop.aborted) {
      const { rung } = bell;
      const next = this.#next();
      if (next === undefined) await rung;
      else yield next;
      if (next?.message?.case === "exit") return;
    }
  }

  #opening(): ShellMessage {
    const { id, kept, input } = this.#terminal;
    if (this.#offset !== undefined) return { message: { case: "session", value: id } };
    const offsets = { firstOffset: BigInt(kept.first), nextOffset: BigInt(kept.next) };
    return { message: { case: "resume", value: { session: id, ...offsets, inputOffset: BigInt(input.received) } } };
  }

  #next(): ShellMessage | undefined {
    const { kept, input, exit } = this.#terminal;
    if (this.#ending !== undefined) return endedBecause(this.#ending.why);
    if (this.#offset === undefined) return undefined;
    if (input.taken - this.#toldTaken >= TAKEN_STEP) {
      this.#toldTaken = input.taken;
      return inputTaken(input);
    }
    const waiting = kept.next - this.#offset;
    if (waiting === 0) return exit();
    return waiting < MESSAGE_BYTES && this.#gathers() ? undefined : this.#output(this.#offset);
  }

  #output(from: number): ShellMessage {
    const value = this.#terminal.kept.read(from, MESSAGE_BYTES);
    this.#offset = from + value.length;
    this.#sentAt = performance.now();
    return { message: { case: "output", value } };
  }

  /** Whether more may come until the bell rings, which it then does in any case. */
  #gathers(): boolean {
    const left = this.#sentAt + GATHER_MS - performance.now();
    if (left <= 0) return false;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#terminal.bell.ring();
    }, left);
    return true;
  }
}

function notThere(bytes: number, { first, next }: KeptOutput): HpsError {
  const what = bytes < first ? `the output before ${first} is kept no more` : `the program has written ${next}`;
  return new HpsError("invalid", `hpsd wants the output from byte ${bytes} on, but ${what}`);
}

function lateError(): HpsError {
  return new HpsError("deadline", "hpsd did not say from where the terminal goes on");
}
