import { setTimeout as sleep } from "node:timers/promises";
import { Bell } from "../../proto/flow/bell.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { Backoff } from "../link/backoff.ts";
import { describeError } from "../log.ts";
import { KeptOutput } from "./kept-output.ts";
import { ProgramInput } from "./program-input.ts";
import type { ServedSession, ShellMessage } from "./served-session.ts";
import { TERMINAL_READ_AHEAD } from "./terminal.ts";
import { type ServedTerminal, TerminalStream } from "./terminal-stream.ts";

/** With what is read ahead of it 256 KiB; beyond that the program waits. */
const KEPT_BYTES = 256 * 1024 - TERMINAL_READ_AHEAD;
/** Between two tries to go on: each waits for the agent to be attached anyway. */
const PAUSES = { min: 200, max: 5_000 };
/** What hpsd will not say otherwise when asked again. */
const FINAL: readonly ErrorCode[] = ["not-found", "invalid", "denied", "unimplemented"];

/** Carries a terminal over as many streams as it takes, until its session is over; nothing is left running. Never rejects. */
export async function serveTerminal(session: ServedSession): Promise<void> {
  const { id, program, announced } = session;
  const bell = new Bell();
  const kept = new KeptOutput(KEPT_BYTES, bell);
  const input = new ProgramInput(program, () => bell.ring());
  let exit: ShellMessage | undefined;
  const keeping = keepOutput(program, kept).then((how) => {
    exit = how && { message: { case: "exit", value: how } };
    bell.ring();
  });
  const announce = (text: string) => kept.insert(Buffer.from(`\r\n*** ${safeText(text)} ***\r\n`));
  announced.add(announce);
  await new Streams(session, { id, program, kept, input, bell, exit: () => exit }).run();
  announced.delete(announce);
  kept.close();
  input.close();
  await program.close();
  await Promise.all([input.idle, keeping]);
}

/** Resolves when the program has ended and all of its output is kept. */
async function keepOutput(program: ServedSession["program"], kept: KeptOutput) {
  for await (const { bytes } of program.output) {
    if (!(await kept.put(bytes))) return undefined;
  }
  return await program.exited;
}

/** One after the other, until the session is over. */
class Streams {
  readonly #session: ServedSession;
  readonly #terminal: ServedTerminal;
  readonly #backoff = new Backoff(PAUSES);
  readonly #givenUp = new AbortController();
  #stream: TerminalStream | undefined;
  #hold: NodeJS.Timeout | undefined;

  constructor(session: ServedSession, terminal: ServedTerminal) {
    this.#session = session;
    this.#terminal = terminal;
  }

  async run(): Promise<void> {
    const { signal } = this.#session;
    const stop = () => this.#stream?.end(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      for (let again = await this.#serve(); again; again = await this.#serve(() => this.#resumed()));
    } finally {
      clearTimeout(this.#hold);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Whether the stream was lost and another is to follow. */
  async #serve(onResumed?: () => void): Promise<boolean> {
    const { serve, signal } = this.#session;
    if (signal.aborted) return false;
    this.#stream = new TerminalStream(this.#terminal, onResumed);
    try {
      await this.#stream.run(serve, this.#givenUp.signal);
      return false;
    } catch (error) {
      return !signal.aborted && (await this.#lost(error));
    }
  }

  async #lost(error: unknown): Promise<boolean> {
    const { id, log, holdMs, signal } = this.#session;
    if (error instanceof HpsError && FINAL.includes(error.code)) {
      log.warn(`a terminal is ended: ${describeError(error)}`, { session: id });
      return false;
    }
    if (this.#hold === undefined) {
      this.#hold = setTimeout(() => this.#givenUp.abort(), holdMs);
      const held = `its program waits ${formatDuration(holdMs)} to be resumed`;
      log.info(`a terminal lost its stream, ${held}: ${describeError(error)}`, { session: id });
    }
    const either = AbortSignal.any([signal, this.#givenUp.signal]);
    await sleep(this.#backoff.next(), undefined, { signal: either }).catch(() => undefined);
    if (this.#givenUp.signal.aborted) {
      log.warn(`a terminal is ended: nobody resumed it within ${formatDuration(holdMs)}`, { session: id });
    }
    return !either.aborted;
  }

  #resumed(): void {
    clearTimeout(this.#hold);
    this.#hold = undefined;
    this.#backoff.reset();
    this.#session.log.info("a terminal goes on", { session: this.#session.id });
  }
}
