import { fingerprintOfDigest } from "../../../certs/fingerprint.ts";
import { parseFactsJson } from "../../../proto/values/facts.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { selectPendingClaim, setClaimApproved } from "../../store/claims.ts";
import type { Db } from "../../store/database.ts";
import { selectInstallation } from "../../store/installations.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { actorOf, type Caller } from "../identity/principal.ts";
import type { PendingEnrolmentView } from "../operations/installation-view.ts";
import type { GateParts } from "./gate-parts.ts";

/** 80 bits in hexadecimal. */
const FINGERPRINT_DIGITS = 20;

/**
 * An operator says that the fingerprint on the machine's console is this one. The agent is let in when it asks next.
 * `precondition` when no agent waits or its fingerprint is another: then somebody else holds the claim.
 */
export async function approveEnrolment(
  { store, clock, audit, changes }: GateParts,
  caller: Caller,
  installationId: string,
  fingerprint: string,
): Promise<void> {
  await store.write(async (tx) => {
    const claim = await selectPendingClaim(tx, installationId);
    if (claim?.publicKey == null) {
      throw new HpsError("precondition", "no agent waits for approval of this installation", {
        hint: "boot the machine and wait until its console shows a fingerprint",
      });
    }
    if (normal(fingerprint).length !== FINGERPRINT_DIGITS) {
      throw new HpsError("invalid", "not a fingerprint", {
        hint: "write all twenty digits as the machine's console shows them",
      });
    }
    const waiting = fingerprintOfDigest(claim.publicKey);
    if (normal(fingerprint) !== normal(waiting)) {
      throw new HpsError("precondition", "the waiting agent has another fingerprint", {
        hint: "read it on the machine's own console; if it is as you typed it, another machine holds the claim: cancel the installation",
      });
    }
    await setClaimApproved(tx, claim.id, clock(), actorOf(caller));
    const clusterId = (await selectInstallation(tx, installationId))?.clusterId ?? null;
    await changes.note(tx, { kind: "installation", objectId: installationId, clusterId, deleted: false });
    const subject = { target: `installation:${installationId}`, clusterId, details: { fingerprint: waiting } };
    await audit.allowed(tx, actorOfCaller(caller), subject);
  });
}

/** The agent that waits for approval of an installation, if one does. */
export async function pendingEnrolmentOf(db: Db, installationId: string): Promise<PendingEnrolmentView | undefined> {
  const claim = await selectPendingClaim(db, installationId);
  if (claim?.publicKey == null || claim.pending === null) return undefined;
  const { at, address, facts } = claim.pending;
  const fingerprint = fingerprintOfDigest(claim.publicKey);
  return { fingerprint, address, requestedAt: at, ...(facts !== null && { facts: parseFactsJson(facts) }) };
}

/** People type it with spaces, in capitals, without dashes. */
function normal(fingerprint: string): string {
  return fingerprint.toLowerCase().replaceAll(/[\s-]/g, "");
}
