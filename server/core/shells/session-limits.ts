import { formatDuration } from "../../../proto/values/duration.ts";
import type { SessionRow } from "../../store/sessions.ts";
import type { Clock } from "../audit/audit.ts";
import type { Outcome } from "./session-outcome.ts";

/** What a session with limits has to offer. */
export interface LimitedSession {
  readonly row: Pick<SessionRow, "startedAt" | "endsAt" | "idleLimit">;
  readonly isTerminal: boolean;
  /** When somebody last typed; UTC milliseconds. */
  readonly typedAt: number;
  /** To all who take part. */
  notify(text: string): void;
  end(outcome: Outcome): Promise<void>;
}

/** How long before the end all are told; of a short limit half of it. */
const NOTICE_MS = 60_000;
/** A timer holds 24 days. */
const LONGEST_WAIT = 86_400_000;

interface Deadline {
  readonly at: number;
  readonly limit: number;
  readonly warning: (left: string) => string;
  readonly reason: string;
}

/**
 * Ends a session when its time is over, a terminal also when nobody types; before, all are told. Detached ones too: what
 * has no limit for who is there must not have none for who is not.
 */
export class SessionLimits {
  readonly #session: LimitedSession;
  readonly #clock: Clock;
  /** Deadlines that all were told of. */
  readonly #told = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(session: LimitedSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const now = this.#clock();
    const deadlines = this.#deadlines();
    const over = deadlines.find(({ at }) => at <= now);
    if (over !== undefined) {
      void this.#session.end({ code: null, signal: 0, reason: over.reason });
      return;
    }
    for (const deadline of deadlines) this.#warn(deadline, now);
    const next = deadlines.flatMap(({ at, limit }) => [at, at - noticeOf(limit)]).filter((at) => at > now);
    if (next.length === 0) return;
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.min(...next) - now, LONGEST_WAIT)).unref();
  }

  #warn({ at, limit, warning }: Deadline, now: number): void {
    if (at - noticeOf(limit) > now || this.#told.has(at)) return;
    this.#told.add(at);
    this.#session.notify(warning(formatDuration(Math.ceil((at - now) / 1000) * 1000)));
  }

  #deadlines(): readonly Deadline[] {
    const { row, isTerminal, typedAt } = this.#session;
    const { startedAt, endsAt, idleLimit } = row;
    const deadlines: Deadline[] = [];
    if (endsAt !== null) {
      const limit = endsAt - startedAt;
      const what = `the session's time limit of ${formatDuration(limit)}`;
      const warning = (left: string) => `${what} ends it in ${left}`;
      deadlines.push({ at: endsAt, limit, warning, reason: `${what} is over` });
    }
    if (idleLimit > 0 && isTerminal) {
      const warning = (left: string) => `nobody types: the session ends in ${left} unless somebody does`;
      const reason = `nobody typed for ${formatDuration(idleLimit)}, the session's idle limit`;
      deadlines.push({ at: typedAt + idleLimit, limit: idleLimit, warning, reason });
    }
    return deadlines;
  }
}

function noticeOf(limit: number): number {
  return Math.min(NOTICE_MS, limit / 2);
}
