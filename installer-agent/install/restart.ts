import { setTimeout as sleep } from "node:timers/promises";
import { unlessAborted } from "../../proto/flow/unless-aborted.ts";
import { formatTime } from "../../proto/values/time.ts";
import type { EventBody } from "../link/attach-messages.ts";
import type { Outbox } from "../link/outbox.ts";
import { describeError } from "../log.ts";
import type { HostConfiguration } from "./host-configuration.ts";

export interface RestartOptions {
  readonly outbox: Pick<Outbox, "listen" | "size">;
  readonly event: (event: EventBody) => void;
  /** To the console and to hpsd. */
  readonly say: (line: string) => void;
  /** Shell sessions that are open. */
  readonly openShells: () => number;
  /** Everything is said and nothing holds the machine any more. */
  readonly onReady: () => void;
  /** How long open shells hold it. */
  readonly shellLimitMs?: number;
}

const SHELL_LIMIT = 15 * 60_000;
const LOOK = 1_000;

/** The end of an installation: hpsd is told first and durably, then the machine restarts unless somebody holds it. */
export class Restart {
  readonly #options: RestartOptions;
  #paused = false;
  #running = false;
  #wake = Promise.withResolvers<void>();

  constructor(options: RestartOptions) {
    this.#options = options;
  }

  /** Holds the machine, or lets it go. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** No step is left. Where a system was installed this ends with `onReady`; else the machine is there for its shell, and stays. */
  async whenInstalled(ask: (signal: AbortSignal) => Promise<HostConfiguration>, signal: AbortSignal): Promise<void> {
    const { event, say } = this.#options;
    await this.#once(signal, async () => {
      if ((await ask(signal)).order === undefined) return say("all steps of this agent are done; staying attached");
      event({ case: "finished", value: {} });
      say("installed; the machine restarts as soon as hpsd knows");
      await this.#run(signal);
    });
  }

  /** hpsd was told that all is installed, by an agent before this one too: what that one died of must not leave the machine waiting. */
  async whenKnown(signal: AbortSignal): Promise<void> {
    await this.#once(signal, async () => {
      this.#options.say("installed, as hpsd knows; only the restart is left");
      await this.#run(signal);
    });
  }

  async #once(signal: AbortSignal, end: () => Promise<void>): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await end();
    } catch (error) {
      if (!signal.aborted) this.#options.say(`the machine is not restarted: ${describeError(error)}`);
    } finally {
      this.#running = false;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { say, onReady } = this.#options;
    await this.#acknowledged(signal);
    do {
      await this.#released(signal);
      await this.#shellsEnded(signal);
    } while (this.#paused);
    say("restarting into the installed system");
    onReady();
  }

  /** However long hpsd is away: a machine that it does not expect would not be let in. */
  async #acknowledged(signal: AbortSignal): Promise<void> {
    const { outbox } = this.#options;
    const empty = Promise.withResolvers<void>();
    const look = () => {
      if (outbox.size === 0) empty.resolve();
    };
    const stop = outbox.listen(look);
    look();
    try {
      await unlessAborted(empty.promise, signal);
    } finally {
      stop();
    }
  }

  async #released(signal: AbortSignal): Promise<void> {
    if (this.#paused) this.#options.say("held: hpsctl installation resume-reboot lets it restart");
    while (this.#paused) await unlessAborted(this.#wake.promise, signal);
  }

  async #shellsEnded(signal: AbortSignal): Promise<void> {
    const { openShells, say, shellLimitMs = SHELL_LIMIT } = this.#options;
    const end = performance.now() + shellLimitMs;
    const count = openShells();
    if (count > 0) {
      const latest = formatTime(Date.now() + shellLimitMs);
      say(`${count} shell sessions are open: the machine restarts when they end, at ${latest} at the latest`);
    }
    while (openShells() > 0 && performance.now() < end)
      await sleep(Math.min(LOOK, shellLimitMs), undefined, { signal });
  }
}
