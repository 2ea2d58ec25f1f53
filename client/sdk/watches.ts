import { setTimeout as pause } from "node:timers/promises";
import type { AuditEvent } from "../../proto/gen/hps/v1/audit_pb.ts";
import type { WatchHostsResponse } from "../../proto/gen/hps/v1/host_pb.ts";
import type { LogLine, WatchInstallationResponse } from "../../proto/gen/hps/v1/installation_pb.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Services } from "./services.ts";

export interface WatchOptions extends CallOptions {
  /** Go on after this sequence number; default 0, from the beginning. */
  readonly after?: bigint;
  /** How long to try to reach a server that was lost, in milliseconds; default 5 minutes. */
  readonly patienceMs?: number;
}

type Watch<Event> = AsyncGenerator<Event, void>;

/**
 * What happens, first what has already happened. When the connection is lost, each goes on where it was, nothing missing and nothing
 * twice, until its patience ends. Leaving the loop ends the watch.
 */
export interface Watches {
  /** The hosts as they are, then their changes. No cluster: all of the caller's. */
  readonly watchHosts: (cluster?: string, options?: WatchOptions) => Watch<WatchHostsResponse>;
  /** Ends when the installation ends. */
  readonly watchInstallation: (installation: string, options?: WatchOptions) => Watch<WatchInstallationResponse>;
  /** With `follow`, ends when the installation ends; else with the last line there is. */
  readonly watchInstallationLog: (
    installation: string,
    options?: WatchOptions & { readonly follow?: boolean },
  ) => Watch<LogLine>;
  /** After -1: only what comes. */
  readonly watchAuditEvents: (cluster?: string, options?: WatchOptions) => Watch<AuditEvent>;
}

const PATIENCE_MS = 300_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

export function watches({ hosts, installations, audit }: Services): Watches {
  return {
    watchHosts: (cluster = "", options = {}) =>
      resumed(options, {
        open: (afterSequence) => hosts.watchHosts({ cluster, afterSequence }, options),
        sequenceOf: ({ sequence }) => sequence,
      }),
    watchInstallation: (installation, options = {}) =>
      resumed(options, {
        open: (afterSequence) => installations.watchInstallation({ installation, afterSequence }, options),
        sequenceOf: ({ entry }) => entry?.sequence,
      }),
    watchInstallationLog: (installation, options = {}) =>
      resumed(options, {
        open: (afterSequence) =>
          logLines(
            installations.watchInstallationLog(
              { installation, afterSequence, follow: options.follow ?? false },
              options,
            ),
          ),
        sequenceOf: ({ sequence }) => sequence,
      }),
    watchAuditEvents: (cluster = "", options = {}) =>
      resumed(options, {
        open: (afterSequence) => audit.watchAuditEvents({ cluster, afterSequence }, options),
        sequenceOf: ({ sequence }) => sequence,
      }),
  };
}

async function* logLines(answers: AsyncIterable<{ readonly lines: readonly LogLine[] }>): Watch<LogLine> {
  for await (const { lines } of answers) yield* lines;
}

interface Source<Event> {
  readonly open: (after: bigint) => AsyncIterable<Event>;
  readonly sequenceOf: (event: Event) => bigint | undefined;
}

async function* resumed<Event>(options: WatchOptions, { open, sequenceOf }: Source<Event>): Watch<Event> {
  let after = options.after ?? 0n;
  const patience = new Patience(options);
  for (;;) {
    patience.opened();
    try {
      for await (const event of open(after)) {
        after = sequenceOf(event) ?? after;
        patience.heard();
        yield event;
      }
      return;
    } catch (error) {
      await patience.waitAfter(error);
    }
  }
}

/** Decides whether a lost stream is opened once more, and when. */
class Patience {
  readonly #limitMs: number;
  readonly #signal: AbortSignal | undefined;
  #everHeard = false;
  #openedAt = 0;
  #lostAt: number | undefined;
  #wait = FIRST_PAUSE_MS;

  constructor({ signal, patienceMs = PATIENCE_MS }: WatchOptions) {
    this.#signal = signal;
    this.#limitMs = patienceMs;
  }

  opened(): void {
    this.#openedAt = Date.now();
  }

  heard(): void {
    this.#everHeard = true;
    this.#lostAt = undefined;
    this.#wait = FIRST_PAUSE_MS;
  }

  /** Waits, or throws `error` when there is no use. */
  async waitAfter(error: unknown): Promise<void> {
    const now = Date.now();
    // A stream that stayed open this long was connected, though it had nothing to say.
    if (now - this.#openedAt > LONGEST_PAUSE_MS) this.heard();
    this.#lostAt ??= now;
    const lost = error instanceof HpsError && error.code === "unavailable";
    if (!lost || !this.#everHeard || this.#signal?.aborted || now - this.#lostAt >= this.#limitMs) throw error;
    await pause(this.#wait * (0.5 + Math.random()), undefined, { signal: this.#signal }).catch(() => undefined);
    this.#wait = Math.min(this.#wait * 2, LONGEST_PAUSE_MS);
  }
}
