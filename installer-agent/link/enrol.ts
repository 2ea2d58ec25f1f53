import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { approvalFingerprint } from "../../certs/fingerprint.ts";
import type { Claim } from "../../proto/config/claim.ts";
import type { Facts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import type { Contact } from "./contact.ts";
import { isPassing } from "./est-answer.ts";
import { type Enrolment, type EstAnswer, simpleEnroll } from "./est-client.ts";
import { claimKey, type Identity, keepIdentity, loadIdentity } from "./identity.ts";
import type { StateFolder } from "./state-folder.ts";

export interface EnrolOptions {
  readonly claim: Claim;
  readonly facts: Facts;
  readonly folder: StateFolder;
  readonly backoff: BackoffLimits;
  readonly log: Log;
  /** Hears what it waits for: approval of this fingerprint, or the end of a problem. */
  readonly onWait?: (wait: { readonly fingerprint: string; readonly problem: string }) => void;
}

/** Tells two claims apart without keeping the secret. */
export function claimDigest(claim: Claim): string {
  return hash("sha256", claim.token, "hex");
}

/**
 * The identity this claim stands for: the one in the state folder while it is valid (only the process died), else by
 * enrolment. Waits for approval and for an hpsd that is away, however long; a refusal is final and thrown.
 */
export async function enrol(options: EnrolOptions, signal: AbortSignal): Promise<Identity> {
  const { claim, folder, log } = options;
  const kept = await loadIdentity(folder, claimDigest(claim));
  if (kept !== undefined && kept.life.notAfter > Date.now()) {
    log.info("going on with the certificate in the state folder");
    return kept;
  }
  const contact = contactOf(claim);
  const key = await claimKey(folder, contact);
  const chain = await askUntilIssued(
    options,
    { contact, enrolment: { key, token: claim.token, facts: options.facts } },
    signal,
  );
  const identity = await keepIdentity(folder, key.privateKey, {
    chain,
    contact,
    peer: { kind: "installer", id: claim.installation },
  });
  log.info("enrolled", { installation: claim.installation, until: new Date(identity.life.notAfter).toISOString() });
  return identity;
}

function contactOf(claim: Claim): Contact {
  const { grpc, https, trustDomain, rootCertificate } = claim;
  return { grpc, https, trustDomain, rootCertificate, claimDigest: claimDigest(claim) };
}

interface Asking {
  readonly contact: Contact;
  readonly enrolment: Enrolment;
}

async function askUntilIssued(options: EnrolOptions, { contact, enrolment }: Asking, signal: AbortSignal) {
  const { backoff, log, onWait } = options;
  const waits = new Backoff(backoff);
  const fingerprint = approvalFingerprint(enrolment.key.publicKey);
  for (;;) {
    const answer = await simpleEnroll(contact, enrolment, signal).catch((error: unknown) => {
      const wait = waitAfter(error, waits, log);
      onWait?.({ fingerprint: "", problem: describeError(error) });
      return wait;
    });
    if (answer.kind === "issued") return answer.chain;
    if (answer.kind === "pending") {
      waits.reset();
      onWait?.({ fingerprint, problem: "" });
      // A warning, so that no log level hides what the operator has to read here.
      log.warn(
        `waiting for approval of this fingerprint: ${fingerprint} (by hpsctl host approve HOST --fingerprint …)`,
      );
    }
    await sleep(answer.waitMs, undefined, { signal });
  }
}

function waitAfter(
  error: unknown,
  waits: Backoff,
  log: Log,
): EstAnswer | { readonly kind: "failed"; readonly waitMs: number } {
  if (!isPassing(error)) throw error;
  const asked = error instanceof HpsError ? Number(error.details.retryAfterMs ?? 0) : 0;
  const waitMs = Math.max(waits.next(), asked);
  log.warn(`cannot enrol yet: ${describeError(error)}`, { retryMs: Math.round(waitMs) });
  return { kind: "failed", waitMs };
}
