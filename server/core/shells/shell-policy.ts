/** Who may enter or watch which shell, and on which terms. Pure: facts in, verdict out; see docs/shell-access.md. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { ShellPolicy } from "../../store/clusters.ts";
import type { ShellGrant } from "../../store/shell-grants.ts";
import { atLeast, type Role } from "../identity/principal.ts";

export type { ShellPolicy };

/** `enter`: begin a session, come back to one, join with write permission. `watch`: see what others do and did. */
export type ShellWish = "enter" | "watch";

/** Who asks, for which host, and what is written down about both at that moment. */
export interface ShellFacts {
  readonly operator: { readonly id: string; readonly name: string };
  /** In the host's cluster; undefined for none. */
  readonly role: Role | undefined;
  readonly host: { readonly id: string; readonly name: string; readonly tags: ReadonlyMap<string, string> };
  readonly cluster: string;
  readonly clusterId: string;
  readonly policy: ShellPolicy;
  /** Of the cluster, of anybody. */
  readonly grants: readonly ShellGrant[];
  readonly now: number;
}

/** What lets somebody in: the role, or the grant that lasts longest. */
export type ShellRight =
  | { readonly by: "role" }
  | { readonly by: "grant"; readonly grant: string; readonly until: number | null };

/** What the operator says of a session it begins. */
export interface ShellOpening {
  readonly reason: string;
}

export type ShellVerdict =
  | { readonly kind: "refused"; readonly error: HpsError }
  | { readonly kind: "approval"; readonly right: ShellRight; readonly terms: ShellTerms }
  | { readonly kind: "allowed"; readonly right: ShellRight; readonly terms: ShellTerms };

/** What holds for a session from its beginning to its end. Times in milliseconds, 0: no limit. */
type ShellTerms = Pick<ShellPolicy, "timeLimit" | "idleLimit" | "recordInput" | "strictRecording">;

/** Whether a session may begin. */
export function decideOpening(facts: ShellFacts, { reason }: ShellOpening): ShellVerdict {
  const right = rightOf(facts, "enter");
  if (right === undefined) return { kind: "refused", error: noRight(facts, "enter") };
  const { policy, cluster } = facts;
  if (policy.reasonRequired && reason.trim() === "") return { kind: "refused", error: noReason(cluster) };
  const { timeLimit, idleLimit, recordInput, strictRecording } = policy;
  const terms = { timeLimit, idleLimit, recordInput, strictRecording };
  return { kind: policy.approvalRequired ? "approval" : "allowed", right, terms };
}

/** What lets this operator in now; undefined when nothing does. */
export function rightOf(facts: ShellFacts, wish: ShellWish): ShellRight | undefined {
  const { role, policy, grants } = facts;
  if (role === undefined) return undefined;
  if (policy.access === "role" && atLeast(role, "operator")) return { by: "role" };
  const fitting = grants.filter((grant) => fits(grant, facts, wish));
  const [longest] = fitting.toSorted((a, b) => endOf(b) - endOf(a));
  return longest && { by: "grant", grant: longest.id, until: longest.expiresAt };
}

/** The refusal for somebody without a right: what is missing, and the command that would give it. */
export function noRight(facts: ShellFacts, wish: ShellWish): HpsError {
  const { operator, host, cluster, policy } = facts;
  const name = `${cluster}/${host.name}`;
  const ask = `hpsctl grant add --operator ${operator.name} --host ${name} --can ${wish} --for 8h`;
  return new HpsError("denied", `you may not ${DEEDS[wish]} host ${name}: ${whyNot(facts)}`, {
    hint: `ask an admin of the cluster for: ${ask}`,
    details: { reason: policy.access === "grant" ? "grant" : "role" },
  });
}

/** For one who is there already, said to all who take part and written down. */
export function rightEnded(facts: ShellFacts, wish: ShellWish): string {
  const { operator, host, cluster } = facts;
  return `${operator.name} may no longer ${DEEDS[wish]} host ${cluster}/${host.name}: ${whyNot(facts)}`;
}

const DEEDS: Readonly<Record<ShellWish, string>> = { enter: "enter shells of", watch: "watch shells of" };

function whyNot({ role, cluster, policy }: ShellFacts): string {
  return role !== undefined && atLeast(role, "operator") && policy.access === "grant"
    ? `cluster ${cluster} lets nobody in without a grant, and there is none for this`
    : `this needs role operator in cluster ${cluster}, or a grant`;
}

function fits(grant: ShellGrant, { operator, role, host, now }: ShellFacts, wish: ShellWish): boolean {
  const { to, on, permission, expiresAt } = grant;
  const forThem = "operatorId" in to ? to.operatorId === operator.id : atLeast(role, to.role);
  const forIt =
    "hostId" in on ? on.hostId === host.id : [...on.tags].every(([key, value]) => host.tags.get(key) === value);
  const forThat = permission === "enter" || wish === "watch";
  return forThem && forIt && forThat && (expiresAt === null || expiresAt > now);
}

function endOf({ expiresAt }: ShellGrant): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}

function noReason(cluster: string): HpsError {
  return new HpsError("precondition", `cluster ${cluster} lets nobody into a shell without a reason`, {
    hint: "say why: --reason TEXT; it goes to the audit log",
  });
}
