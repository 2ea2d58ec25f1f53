import { HpsError } from "../../../proto/values/hps-error.ts";
import { clusterById } from "../../store/clusters.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { hostById } from "../../store/hosts.ts";
import { selectBindings, selectOperator } from "../../store/operators.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { selectLiveGrants } from "../../store/shell-grants.ts";
import { type AuditSubject, actorOfCaller, type Clock } from "../audit/audit.ts";
import { type Caller, type OperatorPrincipal, roleIn } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import {
  decideOpening,
  noRight,
  rightOf,
  type ShellFacts,
  type ShellOpening,
  type ShellVerdict,
  type ShellWish,
} from "./shell-policy.ts";

/** A session that may begin, at once or when another operator approves it. */
export type Admitted = Exclude<ShellVerdict, { readonly kind: "refused" }>;

export interface ShellAdmissionDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly refusals: RecordsRefusals;
}

/** What is asked of a session. */
type JoinedSession = Pick<SessionRow, "id" | "hostId" | "host" | "clusterId">;

type Who = Pick<OperatorPrincipal, "id" | "name" | "roles">;

/** Asks the planner with what the store says now, and records who was refused. */
export class ShellAdmission {
  readonly #deps: ShellAdmissionDeps;

  constructor(deps: ShellAdmissionDeps) {
    this.#deps = deps;
  }

  /** `denied` without a right, `precondition` without what the cluster asks for. */
  async open(caller: Caller, hostId: string, opening: ShellOpening): Promise<Admitted> {
    const facts = await this.#factsOf(caller, hostId);
    const verdict = decideOpening(facts, opening);
    if (verdict.kind !== "refused") return verdict;
    throw await this.#refused(caller, { target: `host:${hostId}`, clusterId: facts.clusterId }, verdict.error);
  }

  /** To do so on a host at some time: for what is asked now and begins later. `denied` without a right. */
  async may(caller: Caller, hostId: string, wish: ShellWish): Promise<void> {
    const facts = await this.#factsOf(caller, hostId);
    if (rightOf(facts, wish) !== undefined) return;
    throw await this.#refused(caller, { target: `host:${hostId}`, clusterId: facts.clusterId }, noRight(facts, wish));
  }

  /**
   * To take part in a session, or to see its recording; of a host that is no more by its role, its own name and the cluster's
   * grants. Answers whether the caller might enter too; `denied` without a right.
   */
  async join(caller: Caller, session: JoinedSession, wish: ShellWish): Promise<boolean> {
    const facts = await this.#factsOf(caller, session.hostId, session);
    if (rightOf(facts, wish) !== undefined) return rightOf(facts, "enter") !== undefined;
    const subject = { target: `session:${session.id}`, clusterId: facts.clusterId };
    throw await this.#refused(caller, subject, noRight(facts, wish));
  }

  async #factsOf({ principal }: Caller, hostId: string, session?: JoinedSession): Promise<ShellFacts> {
    if (principal.kind !== "operator") throw new HpsError("denied", "shells are for operators");
    const now = this.#deps.clock();
    const facts = await this.#deps.store.read(
      async (db) =>
        (await shellFacts(db, principal, hostId, now)) ?? (session && (await factsOfGone(db, principal, session, now))),
    );
    if (facts === undefined) throw new HpsError("not-found", "the host was just deleted");
    return facts;
  }

  /** What else a cluster asks for is the operator's to mend, and no event. */
  async #refused(caller: Caller, subject: AuditSubject, error: HpsError): Promise<HpsError> {
    if (error.code !== "denied") return error;
    const { reason = "" } = error.details;
    const event = { ...subject, reason: error.message, details: { reason } };
    const incident = await this.#deps.refusals.refused(actorOfCaller(caller), event);
    return new HpsError(error.code, error.message, { hint: error.hint, details: { ...error.details, incident } });
  }
}

/** What is written down now about an operator and a host; undefined when the host is no more. */
export async function shellFacts(db: Db, who: Who, hostId: string, now: number): Promise<ShellFacts | undefined> {
  const host = await hostById(db, hostId);
  return host && (await factsIn(db, who, host, now));
}

async function factsOfGone(db: Db, who: Who, { hostId, host, clusterId }: JoinedSession, now: number) {
  return await factsIn(db, who, { id: hostId, name: host, tags: new Map(), clusterId }, now);
}

async function factsIn(
  db: Db,
  who: Who,
  { id, name, tags, clusterId }: ShellFacts["host"] & { readonly clusterId: string },
  now: number,
): Promise<ShellFacts | undefined> {
  const cluster = await clusterById(db, clusterId);
  if (cluster === undefined) return undefined;
  return {
    operator: { id: who.id, name: who.name },
    role: roleIn(who, clusterId),
    host: { id, name, tags },
    ...{ cluster: cluster.name, clusterId, policy: cluster.shellPolicy, now },
    grants: await selectLiveGrants(db, clusterId, now),
  };
}

/** Of one who need not be calling now; undefined when it is no more. */
export async function operatorNamed(db: Db, name: string): Promise<Who | undefined> {
  const row = await selectOperator(db, name);
  if (row === undefined) return undefined;
  const bindings = await selectBindings(db, row.id);
  return { id: row.id, name, roles: new Map(bindings.map(({ clusterId, role }) => [clusterId, role])) };
}
