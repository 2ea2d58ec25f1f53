import type { KeyObject } from "node:crypto";
import { publicKeyDigest } from "../../../certs/key.ts";
import type { Facts } from "../../../proto/values/facts.ts";
import type { HpsError } from "../../../proto/values/hps-error.ts";
import { type ClaimRow, selectClaim, setClaimPending, setClaimSpent } from "../../store/claims.ts";
import type { Tx } from "../../store/database.ts";
import { type GateView, gateView } from "../../store/gate-view.ts";
import { updateInstallation } from "../../store/installations.ts";
import { parseOpenState } from "../hosts/life-cycle.ts";
import { tokenHash } from "../identity/token-hash.ts";
import { type EnrolmentVerdict, judgeEnrolment } from "./enrolment-verdict.ts";
import { type GateParts, refusal } from "./gate-parts.ts";

/** An agent wants a certificate for its claim. */
export interface EnrolmentAsk {
  readonly token: string;
  /** Of the request, whose possession was proven. */
  readonly publicKey: KeyObject;
  readonly facts: Facts | undefined;
  readonly address: string;
}

export type Enrolment =
  /** PEM, leaf first. */
  { readonly kind: "issued"; readonly chainPem: string } | { readonly kind: "pending"; readonly retryAfterMs: number };

/** What the transaction found and did. */
interface Done {
  readonly verdict: EnrolmentVerdict;
  readonly claim: ClaimRow | undefined;
  readonly view: GateView | undefined;
  readonly chainPem?: string;
}

/** How soon an agent that waits for approval asks again: below the ten enrolments a minute that one address has. */
const RETRY_MS = 8_000;

/** Turns a claim into a certificate, once, for one machine; freezes the installation when there are two. */
export class EnrolmentGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /**
   * The decision and all it changes are one transaction: a reply lost after it is repeated for the same key. Throws
   * `denied` with an incident id.
   */
  async enrol(ask: EnrolmentAsk): Promise<Enrolment> {
    const key = publicKeyDigest(ask.publicKey);
    const done = await this.#parts.store.write((tx) => this.#decide(tx, ask, key));
    const { verdict, chainPem } = done;
    switch (verdict.kind) {
      case "ask":
        return { kind: "pending", retryAfterMs: RETRY_MS };
      case "repeat":
      case "issue":
        if (chainPem !== undefined) return { kind: "issued", chainPem };
        throw await this.#refuse(ask, done, "the certificate of this claim was revoked");
      case "refuse":
      case "freeze":
        throw await this.#refuse(ask, done, verdict.reason);
    }
  }

  async #decide(tx: Tx, ask: EnrolmentAsk, key: string): Promise<Done> {
    const claim = await selectClaim(tx, { tokenHash: tokenHash(ask.token) });
    const view = claim && (await gateView(tx, claim.hostId));
    const verdict = this.#judge(ask, key, claim, view);
    const done = { verdict, claim, view };
    if (claim === undefined || view === undefined) return done;
    switch (verdict.kind) {
      case "refuse":
        return done;
      case "repeat":
        return { ...done, ...(await this.#again(tx, claim.installationId, key)) };
      case "freeze":
        await this.#parts.installations.apply(tx, claim.installationId, "conflict", byMachine(claim, verdict.reason));
        return done;
      case "ask":
        if (verdict.first) await this.#ask(tx, ask, key, claim);
        return done;
      case "issue":
        return { ...done, chainPem: await this.#issue(tx, { ask, key, claim, view, first: verdict.first }) };
    }
  }

  #judge(ask: EnrolmentAsk, key: string, claim: ClaimRow | undefined, view: GateView | undefined): EnrolmentVerdict {
    const now = this.#parts.clock();
    const open = view?.installation;
    const installation = open && claim && open.id === claim.installationId ? open : undefined;
    return judgeEnrolment({
      claim,
      installation: installation && {
        state: parseOpenState(installation.state),
        windowEndAt: installation.windowEndAt,
        facts: installation.facts,
      },
      hostMacs: view?.macs ?? [],
      publicKey: key,
      facts: ask.facts,
      earlierAgentLives: view !== undefined && !this.#parts.presence.isGone(view.hostId, now),
      admission: view?.admission ?? "approve",
      now,
    });
  }

  async #ask(tx: Tx, ask: EnrolmentAsk, key: string, claim: ClaimRow): Promise<void> {
    const facts = ask.facts === undefined ? null : JSON.stringify(ask.facts);
    await setClaimPending(tx, claim.id, key, { at: this.#parts.clock(), address: ask.address, facts });
    await this.#parts.installations.apply(tx, claim.installationId, "ask", byMachine(claim, ""));
  }

  async #issue(tx: Tx, { ask, key, claim, view, first }: IssueStep): Promise<string> {
    const { authority, certificates, installations, audit } = this.#parts;
    const { installationId, hostId } = claim;
    const signed = await authority.sign({
      kind: "installer",
      subject: installationId,
      publicKey: ask.publicKey,
    });
    await certificates.revoke(tx, { installationId }, "a newer enrolment of the same installation");
    const rescue = view.installation?.rescue === true;
    if (first && !rescue) await certificates.revoke(tx, { hostId }, "the host is installed anew");
    await certificates.record(tx, signed, { hostId, clusterId: view.clusterId, state: "valid" });
    await setClaimSpent(tx, claim.id, key, signed.serial);
    const factsJson = ask.facts === undefined ? null : JSON.stringify(ask.facts);
    await updateInstallation(tx, installationId, { factsJson }).execute();
    const by = byMachine(claim, "");
    await (first
      ? installations.apply(tx, installationId, "enrol", by)
      : installations.reenter(tx, installationId, by));
    const subject = { target: `installation:${installationId}`, clusterId: view.clusterId, details: { key } };
    await audit.allowed(tx, actorOf(ask, claim), subject);
    return signed.chainPem;
  }

  async #again(tx: Tx, subject: string, publicKey: string): Promise<{ chainPem?: string }> {
    const known = await this.#parts.certificates.issuedBefore(tx, { kind: "installer", subject, publicKey });
    return known === undefined ? {} : { chainPem: known.pem };
  }

  async #refuse(ask: EnrolmentAsk, { claim, view }: Done, reason: string): Promise<HpsError> {
    const target = claim === undefined ? "" : `installation:${claim.installationId}`;
    return await refusal(this.#parts.refusals, actorOf(ask, claim), {
      target,
      clusterId: view?.clusterId ?? null,
      reason,
    });
  }
}

interface IssueStep {
  readonly ask: EnrolmentAsk;
  readonly key: string;
  readonly claim: ClaimRow;
  readonly view: GateView;
  /** Whether it is the first of its installation. */
  readonly first: boolean;
}

function byMachine(claim: ClaimRow, reason: string) {
  return { actor: `mac:${claim.mac}`, reason };
}

function actorOf(ask: EnrolmentAsk, claim: ClaimRow | undefined) {
  const actor = claim === undefined ? `address:${ask.address}` : `mac:${claim.mac}`;
  return { actor, action: "enrol", address: ask.address };
}
