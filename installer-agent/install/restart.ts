import { setTimeout as sleep } from "node:timers/promises";
import { Bell } from "../../proto/flow/bell.ts";
import { unlessAborted } from "../../proto/flow/unless-aborted.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { formatTime } from "../../proto/values/time.ts";
import type { EventBody } from "../link/attach-messages.ts";
import type { Outbox } from "../link/outbox.ts";
import { describeError } from "../log.ts";
import type { HostConfiguration } from "./host-configuration.ts";

export interface RestartOptions {
  readonly outbox: Pick<Outbox, "listen" | "size" | "owes">;
  readonly event: (event: EventBody) => void;
  /** To the console and to hpsd. */
  readonly say: (line: string) => void;
  /** Shell sessions that are open, or whose recording is still here. */
  readonly openShells: () => number;
  /** To everybody who has a shell on this machine. */
  readonly announce: (text: string) => void;
  /** Everything is said and nothing holds the machine any more. */
  readonly onReady: () => void;
  /** How long open shells hold it. */
  readonly shellLimitMs?: number;
}

const SHELL_LIMIT = 15 * 60_000;
const LOOK = 1_000;
/** How long before the end of that time those who have a shell are told again. */
const WARNINGS = [5 * 60_000, 60_000];

/** The end of an installation: hpsd is told first and durably, then the machine restarts unless somebody holds it. */
export class Restart {
  readonly #options: RestartOptions;
  #paused = false;
  #running = false;
  /** When shells hold it no longer, `performance.now()`. */
  #heldUntil: number | undefined;
  readonly #bell = new Bell();

  constructor(options: RestartOptions) {
    this.#options = options;
  }

  /**
   * hpsd says to hold the machine, or to let it go; passed by where it does not know yet what was done here since: it had
   * everything up to `acknowledged`.
   */
  order(paused: boolean, acknowledged?: bigint): void {
    if (!this.#options.outbox.owes("rebootPaused", acknowledged)) this.#set(paused);
  }

  /** How many milliseconds open shells may hold it still; undefined: none does. */
  get shellsHold(): number | undefined {
    return this.#heldUntil === undefined ? undefined : Math.max(0, this.#heldUntil - performance.now());
  }

  /** Somebody at the machine holds it or lets it go, whoever held it. hpsd is told, so that both say the same. */
  holdHere(paused: boolean): void {
    if (paused === this.#paused) return;
    const { event, say } = this.#options;
    event({ case: "rebootPaused", value: { paused } });
    say(paused ? "the restart is held at the machine (SIGTSTP)" : "the restart is let go at the machine (SIGCONT)");
    this.#set(paused);
  }

  #set(paused: boolean): void {
    this.#paused = paused;
    this.#bell.ring();
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
    if (!this.#paused) return;
    this.#tell(
      "the restart is held: hpsctl installation resume-reboot lets the machine restart, or SIGCONT to its agent",
    );
    while (this.#paused) await unlessAborted(this.#bell.rung, signal);
  }

  /** Until no shell is open, the time for that is over, or the restart is held. */
  async #shellsEnded(signal: AbortSignal): Promise<void> {
    const { openShells, shellLimitMs = SHELL_LIMIT } = this.#options;
    const latest = formatTime(Date.now() + shellLimitMs);
    const end = performance.now() + shellLimitMs;
    const count = openShells();
    const sessions = count === 1 ? "1 shell session is" : `${count} shell sessions are`;
    const hold = "hpsctl installation pause-reboot holds it";
    if (count > 0)
      this.#tell(`${sessions} open: the machine restarts when none is, at ${latest} at the latest; ${hold}`);
    const warnings = WARNINGS.filter((left) => left < shellLimitMs);
    this.#heldUntil = count > 0 ? end : undefined;
    while (!this.#paused && openShells() > 0 && performance.now() < end) {
      await sleep(Math.min(LOOK, shellLimitMs), undefined, { signal });
      const [next] = warnings;
      if (next === undefined || end - performance.now() > next || openShells() === 0) continue;
      warnings.shift();
      this.#tell(`the machine restarts in ${formatDuration(next)}, at ${latest}; ${hold}`);
    }
    this.#heldUntil = undefined;
  }

  /** Whoever waits for the machine, and whoever works on it. */
  #tell(text: string): void {
    this.#options.say(text);
    if (this.#options.openShells() > 0) this.#options.announce(text);
  }
}
