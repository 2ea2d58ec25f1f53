import type { KeyObject } from "node:crypto";
import { publicKeyDigest } from "../../../certs/key.ts";
import { verifyPeer } from "../../../certs/verify.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type CertificateRow, selectCertificate, selectCertificates } from "../../store/certificates.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Authority } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import { HOST_GRACE_MS } from "./lifetimes.ts";
import type { Principal } from "./principal.ts";
import type { Principals } from "./principals.ts";
import type { RecordsRefusals } from "./refusals.ts";
import type { SignedCertificate } from "./signed-certificate.ts";

export interface RenewalDeps {
  readonly store: HpsStore;
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly principals: Principals;
  readonly audit: Audit;
  readonly refusals: RecordsRefusals;
  readonly clock: Clock;
}

export interface RenewalAsk {
  /** DER, leaf first: the certificate the asker holds now. */
  readonly chain: readonly Buffer[];
  readonly publicKey: KeyObject;
  readonly address: string;
}

type Holder = Exclude<Principal, { readonly kind: "nobody" }>;

/**
 * A new certificate of the same identity for who holds one: operator, installer or host, with the same or a new key. The
 * old one is revoked when the new one is first used, not before: until then the reply may have been lost.
 */
export class Renewal {
  readonly #deps: RenewalDeps;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
  }

  /** The chain (PEM). The same for a repeated key. `unauthenticated` when the present certificate opens nothing; audited. */
  async renew({ chain, publicKey, address }: RenewalAsk): Promise<string> {
    const who = { actor: `address:${address}`, action: "renew-certificate", address };
    const key = publicKeyDigest(publicKey);
    try {
      const holder = await this.#holder(chain, key);
      const { store, authority } = this.#deps;
      const { kind, certificate } = holder;
      const subject = subjectOf(holder);
      const given = await store.read((db) => this.#given(db, certificate.serial, key));
      if (given !== undefined) return given.pem;
      const signed = await authority.sign({ kind, subject, publicKey });
      return await store.write((tx) => this.#record(tx, holder, signed, { ...who, actor: certificate.uri }));
    } catch (error) {
      throw await this.#refusal(who, error);
    }
  }

  /** A host may be late; then only its old key will do, as its certificate is no proof any more. */
  async #holder(chain: readonly Buffer[], key: string): Promise<Holder> {
    const { principals, authority, clock } = this.#deps;
    const principal = await principals.resolve(chain, { graceMs: HOST_GRACE_MS });
    const [leaf] = chain;
    if (principal.kind === "nobody" || leaf === undefined) {
      throw new HpsError("unauthenticated", "present the certificate that is to be renewed");
    }
    const late = principal.kind === "host" && principal.certificate.publicKeyDigest === key;
    const grace = late ? HOST_GRACE_MS : 0;
    verifyPeer(authority.trust(), { leaf, purpose: "client", now: clock(), grace });
    return principal;
  }

  /** What this certificate was already renewed to for this key. */
  async #given(db: Db, serial: string, publicKey: string): Promise<CertificateRow | undefined> {
    const endsAfter = this.#deps.clock();
    const states = ["valid", "waiting"] as const;
    const [found] = await selectCertificates(db, { replaces: serial, publicKey, states, endsAfter, limit: 1 });
    return found;
  }

  async #record(tx: Tx, holder: Holder, signed: SignedCertificate, who: AuditActor): Promise<string> {
    const { certificates, audit } = this.#deps;
    const old = await selectCertificate(tx, holder.certificate.serial);
    // Between being asked and now it may have been revoked, suspended, or renewed by a request beside this one.
    if (old === undefined || (old.state !== "valid" && old.state !== "waiting")) {
      throw new HpsError("unauthenticated", "your certificate opens nothing any more", {
        details: { identity: who.actor },
      });
    }
    const given = await this.#given(tx, old.serial, signed.publicKey);
    if (given !== undefined) return given.pem;
    await certificates.dropSuccessors(tx, old.serial);
    const { hostId, clusterId, state } = old;
    const where = { ...(hostId !== null && { hostId }), ...(clusterId !== null && { clusterId }) };
    await certificates.record(tx, signed, { ...where, state, replaces: old.serial });
    await audit.allowed(tx, who, {
      target: `certificate:${signed.serial}`,
      clusterId,
      details: { replaces: old.serial },
    });
    return signed.chainPem;
  }

  async #refusal(who: AuditActor, error: unknown): Promise<unknown> {
    if (!(error instanceof HpsError) || error.code !== "unauthenticated") return error;
    const { message, hint, details, cause } = error;
    const actor = details.identity ?? who.actor;
    const incident = await this.#deps.refusals.refused({ ...who, actor }, { reason: message });
    return new HpsError(error.code, message, { hint, cause, details: { ...details, incident } });
  }
}

function subjectOf(holder: Holder): string {
  if (holder.kind === "operator") return holder.name;
  return holder.kind === "host" ? holder.hostId : holder.installationId;
}
