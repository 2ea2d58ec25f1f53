import { randomBytes } from "node:crypto";
import type { NewAuditRow } from "../../store/audit.ts";
import { insertAudit } from "../../store/audit-chain.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import { Wakes } from "../changes/wakes.ts";
import { actorOf, type Caller } from "../identity/principal.ts";

/** UTC milliseconds. */
export type Clock = () => number;

/** What a change or refusal was about; who and from where comes with the caller. */
export interface AuditSubject {
  /** `host:<id>`, `installation:<id>`, …; empty when there is none. */
  readonly target?: string;
  readonly clusterId?: string | null;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, string>>;
}

/** Who did it, for what has no Caller: the boot door, dnsmasq, hpsd itself. */
export interface AuditActor {
  /** `spiffe://…`, `mac:…`, `address:…` or `hpsd`. */
  readonly actor: string;
  readonly action: string;
  readonly address: string;
}

/** What the asker is shown and the audit log is searched by: 40 bits, base32 without look-alikes. */
export function newIncident(): string {
  return [...randomBytes(8)].map((byte) => "abcdefghjkmnpqrstuvwxyz23456789"[byte % 31]).join("");
}

function rowOf(at: number, who: AuditActor, subject: AuditSubject): Omit<NewAuditRow, "outcome" | "incident"> {
  const { actor, action, address } = who;
  const { target = "", clusterId = null, reason = "", details = {} } = subject;
  return { at, actor, action, address, target, clusterId, reason, details };
}

export function actorOfCaller(caller: Caller): AuditActor {
  return { actor: actorOf(caller), action: caller.action, address: caller.address };
}

/** Writes the audit log. A change is recorded in its own transaction; a refusal in one of its own, before it is answered. */
export class Audit {
  /** Woken by every event, once it is durable. */
  readonly written = new Wakes();
  readonly #store: HpsStore;
  readonly #clock: Clock;

  constructor(store: HpsStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** In the transaction of the change, so that neither exists without the other. */
  async allowed(tx: Tx, who: AuditActor, subject: AuditSubject): Promise<void> {
    await this.#insert(tx, { ...rowOf(this.#clock(), who, subject), outcome: "allowed", incident: "" });
  }

  /** Answers with the incident id to show to the asker. */
  async refused(who: AuditActor, subject: AuditSubject, incident = newIncident()): Promise<string> {
    const row = rowOf(this.#clock(), who, subject);
    await this.#store.write((tx) => this.#insert(tx, { ...row, outcome: "refused", incident }));
    return incident;
  }

  async #insert(tx: Tx, row: NewAuditRow): Promise<void> {
    await insertAudit(tx, row);
    tx.afterCommit(() => this.written.wake());
  }
}
