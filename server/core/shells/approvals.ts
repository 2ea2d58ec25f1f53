import { HpsError } from "../../../proto/values/hps-error.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { Participant } from "./participant.ts";
import type { SessionRecords } from "./session-records.ts";
import { type Decision, WaitingSession } from "./waiting-session.ts";

export interface ApprovalsDeps {
  readonly records: Pick<SessionRecords, "ask" | "end" | "touched">;
  readonly refusals: RecordsRefusals;
  /** For the log: a row that could not be written. Must not throw. */
  readonly onError: (error: unknown) => void;
  /** How long an operator waits for another. */
  readonly waitMs?: number;
}

/** What another operator says of a session that waits. */
export interface Review {
  readonly denied: boolean;
  readonly reason: string;
}

interface Pending {
  readonly waiting: WaitingSession;
  readonly timer: NodeJS.Timeout;
}

const WAIT_MS = 600_000;
/** At one time: each is a row and a call that stays open. */
const MOST = 100;
const NO_TRAFFIC = { recording: { bytes: 0, digest: "" }, traffic: {} };

/** The sessions that wait for a second person's word. */
export class Approvals {
  readonly #deps: ApprovalsDeps;
  readonly #waitMs: number;
  readonly #pending = new Map<string, Pending>();

  constructor(deps: ApprovalsDeps) {
    this.#deps = deps;
    this.#waitMs = deps.waitMs ?? WAIT_MS;
  }

  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** Writes the session down as one that waits. `begin` is called when somebody approves it. `exhausted` when too many wait. */
  async ask(caller: Caller, row: SessionRow, begin: (approver: string) => Promise<Participant>): Promise<Participant> {
    if (this.#pending.size >= MOST) throw tooMany();
    const who = actorOfCaller(caller);
    await this.#deps.records.ask(row, who);
    const minutes = Math.ceil(this.#waitMs / 60_000);
    const onOver = async (reason: string) => {
      this.#forget(row.id);
      const ending = { code: null, signal: 0, reason, ...NO_TRAFFIC };
      // The next start of hpsd ends the row where this fails.
      await this.#deps.records.end(row, who, ending, true).catch(this.#deps.onError);
    };
    const asking =
      `cluster ${row.cluster} wants another operator's approval; within ${minutes} min one of them runs: ` +
      `hpsctl session approve ${row.id}`;
    const waiting = new WaitingSession({ row, asking, begin, onOver });
    const reason = `nobody approved it within ${minutes} min`;
    const timer = setTimeout(() => waiting.decide({ kind: "over", reason }), this.#waitMs).unref();
    this.#pending.set(row.id, { waiting, timer });
    return waiting;
  }

  /** The first word counts. `denied` to its own operator, `precondition` when the session waits for nobody. */
  async review(caller: Caller, id: string, { denied, reason }: Review): Promise<void> {
    if (caller.principal.kind !== "operator") throw new HpsError("denied", "operators approve sessions");
    const pending = this.#pending.get(id);
    if (pending === undefined) throw notWaiting(id);
    const { session } = pending.waiting;
    const by = caller.principal.name;
    if (by === session.operator) throw await this.#ownSession(caller, session);
    this.#forget(id);
    const decided: Decision = denied
      ? { kind: "over", reason: `${by} denied it${textOf(reason)}` }
      : { kind: "approved", by };
    try {
      const details = { decision: denied ? "denied" : "approved", operator: session.operator };
      await this.#deps.records.touched(session, actorOfCaller(caller), { reason, details });
    } catch (error) {
      pending.waiting.decide({ kind: "over", reason: "the approval could not be written down" });
      throw error;
    }
    pending.waiting.decide(decided);
  }

  /** Ends what waits, and resolves when that is written. */
  async stop(reason: string): Promise<void> {
    const all = [...this.#pending.values()].map(({ waiting }) => waiting);
    for (const waiting of all) waiting.decide({ kind: "over", reason });
    await Promise.all(all.map(({ settled }) => settled));
  }

  #forget(id: string): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  async #ownSession(caller: Caller, { id, clusterId, operator }: SessionRow): Promise<HpsError> {
    const message = `session ${id} is your own: another operator approves it`;
    const subject = { target: `session:${id}`, clusterId, reason: `${operator} asked to approve its own session` };
    const incident = await this.#deps.refusals.refused(actorOfCaller(caller), subject);
    return new HpsError("denied", message, { hint: "ask a colleague with role operator", details: { incident } });
  }
}

function textOf(reason: string): string {
  return reason === "" ? "" : `: ${reason}`;
}

function notWaiting(id: string): HpsError {
  return new HpsError("precondition", `session ${id} waits for no approval`, {
    hint: "hpsctl session ls --open shows those that do; each waits 10 min at most",
  });
}

function tooMany(): HpsError {
  return new HpsError("exhausted", `${MOST} sessions wait for approval already`, { hint: "try again in a moment" });
}
