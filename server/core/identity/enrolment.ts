import type { KeyObject } from "node:crypto";
import { publicKeyDigest } from "../../../certs/key.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type CertificateRow, selectCertificate } from "../../store/certificates.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { type InvitationRow, selectInvitation, useInvitation } from "../../store/invitations.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Authority } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import type { RecordsRefusals } from "./refusals.ts";
import { tokenHash } from "./token-hash.ts";

export interface EnrolmentDeps {
  readonly store: HpsStore;
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly audit: Audit;
  readonly refusals: RecordsRefusals;
  readonly clock: Clock;
}

export interface InvitationAsk {
  readonly token: string;
  readonly publicKey: KeyObject;
  readonly address: string;
}

type Invitation = InvitationRow & { readonly operator: string };

const ACTION = "enrol-operator";

/** An operator's first certificate on a machine, for an invitation. */
export class OperatorEnrolment {
  readonly #deps: EnrolmentDeps;

  constructor(deps: EnrolmentDeps) {
    this.#deps = deps;
  }

  /**
   * The chain (PEM) of the operator's certificate for this key. Asked again with the same key: the same certificate, as a
   * lost reply is not an attack. `unauthenticated` for a token that is unknown, over, or was used with another key; each
   * such refusal is one audit event.
   */
  async byInvitation({ token, publicKey, address }: InvitationAsk): Promise<string> {
    const { store, authority } = this.#deps;
    const who = { actor: `address:${address}`, action: ACTION, address };
    const ask = { hash: tokenHash(token), key: publicKeyDigest(publicKey) };
    const first = await store.read((db) => this.#examine(db, ask.hash, ask.key));
    if (typeof first === "string") throw await this.#refuse(who, first);
    if ("pem" in first) return first.pem;
    const name = first.operator;
    const signed = await authority.sign({ kind: "operator", subject: name, publicKey });
    // Between the two looks another request may have used it: only what is recorded counts.
    const outcome = await store.write(async (tx) => {
      const now = await this.#examine(tx, ask.hash, ask.key);
      if (typeof now === "string" || "pem" in now) return now;
      await this.#deps.certificates.record(tx, signed, { state: "valid" });
      await useInvitation(tx, ask.hash, { publicKey: ask.key, certificateSerial: signed.serial });
      const actor = authority.uriOf("operator", name);
      const target = `certificate:${signed.serial}`;
      await this.#deps.audit.allowed(tx, { ...who, actor }, { target, details: { operator: name } });
      return { pem: signed.chainPem };
    });
    if (typeof outcome === "string") throw await this.#refuse(who, outcome);
    return outcome.pem;
  }

  /** The open invitation, the certificate it gave this key before, or why it is refused. */
  async #examine(db: Db, hash: string, key: string): Promise<Invitation | Pick<CertificateRow, "pem"> | string> {
    const invitation = await selectInvitation(db, hash);
    if (invitation === undefined) return "unknown invitation";
    const whose = `invitation of operator ${invitation.operator}`;
    if (invitation.expiresAt <= this.#deps.clock()) return `${whose} has expired`;
    if (invitation.publicKey === null) return invitation;
    if (invitation.publicKey !== key) return `${whose} was used with another key`;
    const given = await selectCertificate(db, invitation.certificateSerial ?? "");
    return given === undefined || given.state !== "valid" ? `${whose} was used and its certificate is revoked` : given;
  }

  /** The asker learns nothing of which it was: it has proven nothing. */
  async #refuse(who: AuditActor, reason: string): Promise<HpsError> {
    const incident = await this.#deps.refusals.refused(who, { reason });
    return new HpsError("unauthenticated", "this invitation cannot be used", {
      hint: "ask for a new one: hpsctl operator invite",
      details: { incident },
    });
  }
}
