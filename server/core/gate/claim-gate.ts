import { randomUUID } from "node:crypto";
import type { Claim } from "../../../proto/config/claim.ts";
import { newClaimToken } from "../../../proto/values/claim-token.ts";
import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseTime } from "../../../proto/values/time.ts";
import { parseUuid } from "../../../proto/values/uuid.ts";
import { type ClaimRow, insertClaim, selectClaim, setClaimFetched, voidClaims } from "../../store/claims.ts";
import type { Db } from "../../store/database.ts";
import { type GateView, gateView } from "../../store/gate-view.ts";
import { selectInstallation } from "../../store/installations.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";
import { tokenHash } from "../identity/token-hash.ts";
import { takesMachines } from "./boot-decision.ts";
import { type GateParts, refusal } from "./gate-parts.ts";
import { doubtAbout, type Neighbour } from "./sender.ts";

/** A machine fetches the claim its boot script named. */
export interface ClaimAsk {
  readonly claimId: string;
  /** The request's source address. */
  readonly address: string;
  readonly neighbour: Neighbour;
}

/** Hands a claim out: once, in its time, to the machine the script went to. Its token exists from then on. */
export class ClaimGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Throws `denied` with an incident id. */
  async fetch(ask: ClaimAsk): Promise<Claim> {
    const { store, clock, audit } = this.#parts;
    const token = newClaimToken();
    const fetched = await store.write(async (tx) => {
      const claim = await selectClaim(tx, { id: ask.claimId });
      const reason = await this.#doubt(tx, claim, ask);
      if (claim === undefined || reason !== undefined) return { claim, reason: reason ?? "the claim is unknown" };
      await setClaimFetched(tx, claim.id, clock(), tokenHash(token));
      const { hostId, installationId } = claim;
      const view = await gateView(tx, hostId);
      const subject = { target: `installation:${installationId}`, clusterId: view?.clusterId ?? null };
      await audit.allowed(tx, actorOf(ask, claim), subject);
      return { claim };
    });
    if (fetched.reason !== undefined) throw await this.#refuse(ask, fetched.claim, fetched.reason);
    return this.#claimText(fetched.claim, token);
  }

  /**
   * A claim for a machine that boots from a medium: the operator carries it there. Voids older claims. `precondition` when
   * the installation does not wait for a machine, or the agent of an earlier claim lives.
   */
  async issue(caller: Caller, installationId: string): Promise<{ readonly claim: Claim; readonly expiresAt: number }> {
    const { store, clock, audit, presence, settings } = this.#parts;
    const token = newClaimToken();
    const now = clock();
    const expiresAt = now + settings.claimTtl;
    const hostId = await store.write(async (tx) => {
      const view = await openInstallationView(tx, installationId, now);
      if (!presence.isGone(view.hostId, now)) {
        throw new HpsError("precondition", `the agent of ${view.hostName} is attached`, {
          hint: "stop that machine first",
        });
      }
      await voidClaims(tx, installationId, now, "newer claim");
      const id = randomUUID();
      const where = { installationId, hostId: view.hostId, mac: view.macs[0] ?? "", address: "" };
      await insertClaim(tx, { id, ...where, issuedAt: now, expiresAt });
      await setClaimFetched(tx, id, now, tokenHash(token));
      const subject = { target: `installation:${installationId}`, clusterId: view.clusterId };
      await audit.allowed(tx, actorOfCaller(caller), subject);
      return view.hostId;
    });
    return { claim: this.#claimText({ installationId, hostId }, token), expiresAt };
  }

  async #doubt(db: Db, claim: ClaimRow | undefined, ask: ClaimAsk): Promise<string | undefined> {
    const { leases, clock } = this.#parts;
    const now = clock();
    if (claim === undefined) return "the claim is unknown";
    if (claim.address !== ask.address) return "the claim was given to another address";
    const lease = leases.about(ask.address, claim.mac);
    const doubt = doubtAbout({ claimedMac: claim.mac, lease, neighbour: ask.neighbour, now });
    if (doubt !== undefined) return doubt;
    if (claim.fetchedAt !== null) return "the claim was fetched before";
    if (claim.voidedAt !== null) return `the claim is void: ${claim.voidReason}`;
    if (claim.expiresAt <= now) return "the claim has expired";
    const installation = (await gateView(db, claim.hostId))?.installation;
    const open = installation?.id === claim.installationId && takesMachines(installation, now);
    return open ? undefined : "the installation of this claim is not open to machines";
  }

  #claimText(claim: Pick<ClaimRow, "installationId" | "hostId">, token: Claim["token"]): Claim {
    const { authority, settings, clock } = this.#parts;
    return {
      token,
      installation: parseUuid(claim.installationId),
      host: parseUuid(claim.hostId),
      ...settings.addresses(),
      trustDomain: parseDomainName(authority.trustDomain),
      rootCertificate: authority.rootPem,
      serverTime: parseTime(new Date(clock()).toISOString()),
    };
  }

  async #refuse(ask: ClaimAsk, claim: ClaimRow | undefined, reason: string) {
    if (claim === undefined) return await refusal(this.#parts.refusals, actorOf(ask, claim), { reason });
    const view = await this.#parts.store.read((db) => gateView(db, claim.hostId));
    const subject = { target: `installation:${claim.installationId}`, clusterId: view?.clusterId ?? null, reason };
    return await refusal(this.#parts.refusals, actorOf(ask, claim), subject);
  }
}

/** The host of an installation that waits for a machine. */
async function openInstallationView(db: Db, installationId: string, now: number): Promise<GateView> {
  const installation = await selectInstallation(db, installationId);
  const view = installation && (await gateView(db, installation.hostId));
  const open = view?.installation?.id === installationId && takesMachines(view.installation, now);
  if (view !== undefined && open) return view;
  throw new HpsError("precondition", "the installation does not wait for a machine", { hint: "arm the host first" });
}

function actorOf(ask: ClaimAsk, claim: ClaimRow | undefined) {
  const actor = claim === undefined ? `address:${ask.address}` : `mac:${claim.mac}`;
  return { actor, action: "claim.fetch", address: ask.address };
}
