import { type Audit, type AuditActor, type AuditSubject, type Clock, newIncident } from "../audit/audit.ts";

/** What records a refusal and answers with its incident id: the audit log itself, or Refusals before it. */
export type RecordsRefusals = Pick<Audit, "refused">;

export interface RefusalLimits {
  /** Refusals of one actor and action in a minute that are one event each. */
  readonly each: number;
  /** Actor and action pairs that are counted apart; all beyond share one count. */
  readonly pairs: number;
  /** Of all together: whoever has many addresses must not push what happened out of the log. */
  readonly all: number;
}

interface Count {
  seen: number;
  /** Of them, those that are an event each. */
  told: number;
  /** Set from the first refusal that is only counted: the summary's, so that each asker can be found in the log. */
  incident: string;
  who: AuditActor;
  last: AuditSubject;
  timer: NodeJS.Timeout | undefined;
}

const MINUTE = 60_000;
const ELSE = "";

/** The audit log's door for refusals: a peer that is refused over and over does not fill the log, and is still counted. */
export class Refusals implements RecordsRefusals {
  readonly #audit: Audit;
  readonly #limits: RefusalLimits;
  readonly #clock: Clock;
  readonly #counts = new Map<string, Count>();
  #windowStart = 0;
  #written = 0;

  constructor(audit: Audit, clock: Clock, limits: RefusalLimits = { each: 50, pairs: 1000, all: 2000 }) {
    this.#audit = audit;
    this.#clock = clock;
    this.#limits = limits;
  }

  async refused(who: AuditActor, subject: AuditSubject): Promise<string> {
    await this.#turnWindow();
    const count = this.#countOf(who);
    count.seen += 1;
    if (count.seen <= this.#limits.each && this.#written < this.#limits.all) {
      this.#written += 1;
      count.told += 1;
      return await this.#audit.refused(who, subject);
    }
    if (count.incident === "") count.incident = newIncident();
    count.last = subject;
    count.timer ??= setTimeout(() => void this.flush().catch(() => undefined), MINUTE).unref();
    return count.incident;
  }

  /** Writes what was only counted. For the end of a minute and of hpsd. */
  async flush(): Promise<void> {
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    for (const { seen, told, incident, who, last, timer } of counts) {
      clearTimeout(timer);
      const more = seen - told;
      if (more <= 0) continue;
      const details = { ...last.details, count: String(more) };
      await this.#audit.refused(who, { ...last, details, reason: `${more} more: ${last.reason ?? ""}` }, incident);
    }
  }

  async #turnWindow(): Promise<void> {
    const now = this.#clock();
    if (now >= this.#windowStart && now - this.#windowStart < MINUTE) return;
    this.#windowStart = now;
    this.#written = 0;
    await this.flush();
  }

  #countOf(who: AuditActor): Count {
    const wanted = `${who.actor} ${who.action}`;
    const full = this.#counts.size >= this.#limits.pairs && !this.#counts.has(wanted);
    const key = full ? ELSE : wanted;
    const shown = full ? { actor: "many", action: "many", address: "" } : who;
    const count = this.#counts.get(key) ?? { seen: 0, told: 0, incident: "", who: shown, last: {}, timer: undefined };
    this.#counts.set(key, count);
    return count;
  }
}
