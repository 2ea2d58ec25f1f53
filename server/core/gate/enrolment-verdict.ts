import type { Facts } from "../../../proto/values/facts.ts";
import type { ClaimRow } from "../../store/claims.ts";
import { isFirst, type OpenState } from "../hosts/life-cycle.ts";

/** All that decides over one enrolment. */
export interface EnrolmentCase {
  readonly claim: ClaimRow | undefined;
  /** The claim's installation, when it is still open. */
  readonly installation:
    | {
        readonly state: OpenState;
        readonly windowEndAt: number;
        readonly facts: Facts | undefined;
      }
    | undefined;
  /** All MACs of the claim's host. */
  readonly hostMacs: readonly string[];
  /** SHA-256 of the key that wants a certificate, hex. */
  readonly publicKey: string;
  /** What the agent says of its machine. */
  readonly facts: Facts | undefined;
  /** Whether the agent of an earlier enrolment still shows life. */
  readonly earlierAgentLives: boolean;
  readonly admission: "armed" | "approve";
  /** UTC milliseconds. */
  readonly now: number;
}

export type EnrolmentVerdict =
  | { readonly kind: "refuse"; readonly reason: string }
  /** Two machines claim one host. */
  | { readonly kind: "freeze"; readonly reason: string }
  /** The reply was lost: the same certificate again. */
  | { readonly kind: "repeat" }
  /** Wait for an operator; `first` when nobody was asked yet. */
  | { readonly kind: "ask"; readonly first: boolean }
  | { readonly kind: "issue"; readonly first: boolean };

const refuse = (reason: string): EnrolmentVerdict => ({ kind: "refuse", reason });
const freeze = (reason: string): EnrolmentVerdict => ({ kind: "freeze", reason });

/** Decides over one enrolment; see docs/security.md for what each answer protects. */
export function judgeEnrolment(ask: EnrolmentCase): EnrolmentVerdict {
  const { claim, installation, publicKey, now } = ask;
  if (claim?.fetchedAt == null) return refuse("the claim is unknown");
  if (installation === undefined) return refuse("the installation of this claim has ended");
  if (installation.state === "rebooting") return refuse("the machine is to boot its own disk");
  if (installation.state === "frozen") return refuse("the installation is frozen: two machines claimed the host");
  if (claim.publicKey !== null && claim.publicKey !== publicKey) return freeze("the claim was used with two keys");
  if (claim.voidedAt !== null) return freeze("the claim was used after a newer one was given out");
  if (claim.certificateSerial !== null) return { kind: "repeat" };
  if (claim.expiresAt <= now && claim.pending === null) return refuse("the claim has expired");
  return judgeMachine(ask, claim, installation);
}

function judgeMachine(
  ask: EnrolmentCase,
  claim: ClaimRow,
  installation: NonNullable<EnrolmentCase["installation"]>,
): EnrolmentVerdict {
  const { facts, hostMacs } = ask;
  if (facts !== undefined && !facts.macs.some((mac) => hostMacs.includes(mac)))
    return refuse("the claim is another host's");
  const first = isFirst(installation.state);
  if (first && installation.windowEndAt <= ask.now) return refuse("the window of this host is over");
  if (!first && ask.earlierAgentLives) return freeze("a machine enrolled while the agent of an earlier one lives");
  if (!first && !sameMachine(installation.facts, facts))
    return freeze("another machine came for the same installation");
  if (ask.admission === "approve" && claim.approvedAt === null) return { kind: "ask", first: claim.pending === null };
  return { kind: "issue", first };
}

/** Whether two sets of facts are one machine's. Facts that were never given (after a freeze was lifted) match any. */
function sameMachine(before: Facts | undefined, now: Facts | undefined): boolean {
  if (before === undefined) return true;
  if (now === undefined) return false;
  const macs = (facts: Facts) => [...facts.macs].sort().join();
  return before.uuid === now.uuid && before.serial === now.serial && macs(before) === macs(now);
}
