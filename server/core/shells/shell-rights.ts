import { setTimeout as delay } from "node:timers/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { NewChange } from "../../store/changes.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import type { SessionRow } from "../../store/sessions.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { LiveCalls } from "../identity/live-calls.ts";
import type { Caller } from "../identity/principal.ts";
import type { Seat } from "./participant.ts";
import type { Outcome } from "./session-outcome.ts";
import { fingerprintOf } from "./session-row.ts";
import { operatorNamed, shellFacts } from "./shell-admission.ts";
import { rightEnded, rightOf, type ShellFacts, type ShellWish } from "./shell-policy.ts";

/** A session whose people are judged anew whenever something about their rights changes. */
export interface JudgedSession {
  readonly row: Pick<SessionRow, "id" | "hostId" | "clusterId" | "host" | "operator" | "certificate">;
  readonly participants: readonly Seat[];
  /** What a participant may do from now on; with an error nothing, and its output ends with it. */
  judged(participant: string, verdict: ShellWish | HpsError): void;
  end(outcome: Outcome): Promise<void>;
}

export interface ShellRightsDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly changes: Pick<Changes, "listen">;
  readonly live: Pick<LiveCalls, "onCertificatesEnded">;
  /** For the log: rights that could not be read. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** What a right hangs on. Certificates are told of by LiveCalls. */
const KINDS = new Set(["cluster", "host", "operator", "grant"]);
/** Sessions judged in one snapshot of the store. */
const BATCH = 50;
const RETRY_MS = 500;
/** A timer holds 24 days; who waits longer is looked at in between. */
const LONGEST_WAIT = 86_400_000;

/** Ends what somebody does in a shell when the right to it is gone, whether a client is connected or not. */
export class ShellRights {
  readonly #deps: ShellRightsDeps;
  readonly #sessions = new Map<JudgedSession, Watched>();
  readonly #due = new Set<JudgedSession>();
  #judging: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ShellRightsDeps) {
    this.#deps = deps;
    deps.changes.listen((change) => {
      if (KINDS.has(change.kind)) this.#judgeTouched(change);
    });
    deps.live.onCertificatesEnded((gone, reason) => this.#certificatesEnded(gone, reason));
  }

  /** From its beginning, and again when its owner or anybody comes: what let them in may be over already. */
  watch(session: JudgedSession, owner?: Caller): void {
    const known = this.#sessions.get(session);
    const certificate = owner === undefined ? (known ?? session.row).certificate : fingerprintOf(owner);
    this.#sessions.set(session, { certificate, until: known?.until ?? Number.POSITIVE_INFINITY });
    this.#judgeSoon([session]);
  }

  /** It is over. */
  forget(session: JudgedSession): void {
    this.#sessions.delete(session);
    this.#due.delete(session);
  }

  /** For the end of hpsd. */
  stop(): void {
    this.#sessions.clear();
    this.#due.clear();
    clearTimeout(this.#timer);
  }

  #judgeTouched({ kind, objectId, clusterId }: NewChange): void {
    const isTouched = ({ row }: JudgedSession) =>
      kind === "host" ? row.hostId === objectId : clusterId === null || row.clusterId === clusterId;
    this.#judgeSoon([...this.#sessions.keys()].filter(isTouched));
  }

  #judgeSoon(sessions: readonly JudgedSession[]): void {
    for (const session of sessions) this.#due.add(session);
    if (this.#due.size === 0) return;
    this.#judging ??= this.#judgeDue().finally(() => {
      this.#judging = undefined;
      this.#wakeForNext();
    });
  }

  async #judgeDue(): Promise<void> {
    while (this.#due.size > 0) {
      const batch = [...this.#due].slice(0, BATCH);
      for (const session of batch) this.#due.delete(session);
      try {
        const now = this.#deps.clock();
        const verdicts = await this.#deps.store.read((db) => judgeAll(db, batch, now));
        for (const [session, verdict] of verdicts) this.#carryOut(session, verdict);
      } catch (error) {
        this.#deps.onError(error);
        for (const session of batch) if (this.#sessions.has(session)) this.#due.add(session);
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  #carryOut(session: JudgedSession, { ended, seats, until }: Verdict): void {
    const watched = this.#sessions.get(session);
    if (watched === undefined) return;
    this.#sessions.set(session, { ...watched, until });
    for (const [participant, verdict] of seats) session.judged(participant, verdict);
    if (ended !== undefined) void session.end({ code: null, signal: 0, reason: ended });
  }

  /** Rights that end by the clock. */
  #wakeForNext(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...[...this.#sessions.values()].map(({ until }) => until));
    if (next === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(next - this.#deps.clock(), 0), LONGEST_WAIT);
    this.#timer = setTimeout(() => {
      const now = this.#deps.clock();
      this.#judgeSoon([...this.#sessions].filter(([, { until }]) => until <= now).map(([session]) => session));
      if (this.#judging === undefined) this.#wakeForNext();
    }, wait).unref();
  }

  /** A session outlives its owner's client, so that the owner's call may not be there to be ended. */
  #certificatesEnded(gone: ReadonlySet<string>, reason: HpsError): void {
    for (const [session, { certificate }] of this.#sessions) {
      if (!gone.has(certificate)) continue;
      const why = `${session.row.operator} was thrown out: ${reason.message.replace(/^your /, "its ")}`;
      void session.end({ code: null, signal: 0, reason: why });
    }
  }
}

interface Watched {
  /** Fingerprint of the one by which its owner is there, or was last. */
  readonly certificate: string;
  /** When the first right of somebody in it ends by the clock. */
  readonly until: number;
}

interface Verdict {
  /** Why it has to end. */
  readonly ended?: string;
  /** By participant. */
  readonly seats: ReadonlyMap<string, ShellWish | HpsError>;
  readonly until: number;
}

async function judgeAll(
  db: Db,
  sessions: readonly JudgedSession[],
  now: number,
): Promise<readonly (readonly [JudgedSession, Verdict])[]> {
  const known = new Map<string, Promise<ShellFacts | string>>();
  const factsOf = (operator: string, { row }: JudgedSession) => {
    const key = `${operator} ${row.hostId}`;
    const facts = known.get(key) ?? readFacts(db, operator, row, now);
    known.set(key, facts);
    return facts;
  };
  const verdicts: (readonly [JudgedSession, Verdict])[] = [];
  for (const session of sessions) {
    const owner = judge(await factsOf(session.row.operator, session), "enter");
    const seats = new Map<string, ShellWish | HpsError>();
    let until = owner.until;
    for (const { id, operator, role } of session.participants) {
      if (role === "owner") continue;
      const facts = await factsOf(operator, session);
      const [entering, watching] = [judge(facts, "enter"), judge(facts, "watch")];
      const seat = role === "writer" ? entering : watching;
      const may = entering.ended === undefined ? "enter" : "watch";
      seats.set(id, seat.ended === undefined ? may : new HpsError("denied", seat.ended));
      until = Math.min(until, entering.until, watching.until);
    }
    verdicts.push([session, { ...owner, seats, until }]);
  }
  return verdicts;
}

async function readFacts(
  db: Db,
  operator: string,
  { hostId, host }: JudgedSession["row"],
  now: number,
): Promise<ShellFacts | string> {
  const who = await operatorNamed(db, operator);
  if (who === undefined) return `operator ${operator} is no more`;
  return (await shellFacts(db, who, hostId, now)) ?? `host ${host} was deleted`;
}

function judge(facts: ShellFacts | string, wish: ShellWish): Pick<Verdict, "ended" | "until"> {
  if (typeof facts === "string") return { ended: facts, until: Number.POSITIVE_INFINITY };
  const right = rightOf(facts, wish);
  if (right === undefined) return { ended: rightEnded(facts, wish), until: Number.POSITIVE_INFINITY };
  return { until: (right.by === "grant" ? right.until : null) ?? Number.POSITIVE_INFINITY };
}
