import { HpsError } from "../../../proto/values/hps-error.ts";
import {
  type CertificateChange,
  type CertificateFilter,
  type CertificateRow,
  insertCertificate,
  pruneCertificates,
  selectCertificate,
  selectCertificates,
  updateCertificate,
} from "../../store/certificates.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { HOST_GRACE_MS } from "./lifetimes.ts";
import type { LiveCalls } from "./live-calls.ts";
import type { Principals } from "./principals.ts";
import type { SignedCertificate } from "./signed-certificate.ts";
import { stateRefusal } from "./state-refusal.ts";

/** Whom a new certificate is for beside its own subject. */
export interface RecordOptions {
  readonly hostId?: string;
  readonly clusterId?: string;
  /** `waiting`: a host's, good for nothing but the first attach of the installed system. */
  readonly state: "valid" | "waiting";
  /** Serial of the certificate it renews, which is revoked when this one is first used. */
  readonly replaces?: string;
}

/** Which certificates to revoke: one, or all of an installation, of a host (its own and its installers'), of an operator. */
export type Revocable =
  | { readonly serial: string }
  | { readonly installationId: string }
  | { readonly hostId: string }
  | { readonly operator: string };

export interface CertificatesDeps {
  readonly store: HpsStore;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly principals: Principals;
  readonly live: LiveCalls;
}

/** More than one operator, host or installation can have. */
const MOST = 10_000;

/** Every certificate this hpsd issued and what it is good for now. A change of state works on the next call, and on open ones. */
export class Certificates {
  readonly #deps: CertificatesDeps;

  constructor(deps: CertificatesDeps) {
    this.#deps = deps;
    deps.principals.onSuccession((serial) => this.#retire(serial));
  }

  /** A waiting certificate takes the place of every other waiting one of its host, but not yet of the one it renews. */
  async record(tx: Tx, signed: SignedCertificate, where: RecordOptions): Promise<void> {
    if (where.state === "waiting" && where.replaces === undefined) {
      const waiting = { kind: "host", subject: signed.subject, states: ["waiting"] } as const;
      await this.#end(tx, await this.#select(tx, waiting), "a newer certificate took its place");
    }
    await insertCertificate(tx, {
      serial: signed.serial,
      kind: signed.kind,
      subject: signed.subject,
      hostId: where.hostId ?? null,
      clusterId: where.clusterId ?? null,
      state: where.state,
      fingerprint: signed.fingerprint,
      publicKey: signed.publicKey,
      notBefore: signed.notBefore,
      notAfter: signed.notAfter,
      issuedAt: this.#deps.clock(),
      revokedAt: null,
      revokeReason: "",
      pem: signed.chainPem,
      replaces: where.replaces ?? null,
    });
    await this.#note(tx, { serial: signed.serial, clusterId: where.clusterId ?? null });
  }

  /** Answers how many were not revoked before. Open calls end once this is durable, those of replaced certificates too. */
  async revoke(tx: Tx, which: Revocable, reason: string): Promise<number> {
    const found = await this.#select(tx, filterOf(which));
    const good = found.filter(({ state }) => state !== "revoked");
    await this.#end(tx, good, reason);
    await this.#endCalls(tx, found, stateRefusal("revoked", reason));
    return good.length;
  }

  /** While a host is armed for re-installation its certificate opens nothing. */
  async suspendHost(tx: Tx, hostId: string): Promise<void> {
    const found = await this.#select(tx, { kind: "host", subject: hostId, states: ["valid"] });
    await this.#change(tx, found, { state: "suspended" });
  }

  /** Undoes `suspendHost`. */
  async resumeHost(tx: Tx, hostId: string): Promise<void> {
    const found = await this.#select(tx, { kind: "host", subject: hostId, states: ["suspended"] });
    await this.#change(tx, found, { state: "valid" });
  }

  /** The installed system attached: its certificate is good from now on, and every other of this host is revoked. */
  async validateWaiting(tx: Tx, hostId: string): Promise<void> {
    const found = await this.#select(tx, { kind: "host", subject: hostId, states: ["waiting"] });
    if (found.length === 0) throw new HpsError("precondition", `no certificate of host ${hostId} waits`);
    const others = await this.#select(tx, { hostId, states: ["valid", "suspended"] });
    await this.#end(tx, others, "the installed system attached with its own certificate");
    await this.#change(tx, found, { state: "valid" });
  }

  /** The newest certificate of this subject and key that is not revoked: what a repeated request gets again. */
  async issuedBefore(
    db: Db,
    of: Pick<CertificateRow, "kind" | "subject" | "publicKey">,
  ): Promise<CertificateRow | undefined> {
    const [found] = await selectCertificates(db, {
      ...of,
      states: ["valid", "waiting"],
      endsAfter: this.#deps.clock(),
      limit: 1,
    });
    return found;
  }

  /** Revokes those that renew `serial` and were never used: their holder asked again with another key. */
  async dropSuccessors(tx: Tx, serial: string): Promise<void> {
    const found = await this.#select(tx, { replaces: serial, states: ["valid", "waiting"] });
    await this.#end(tx, found, "renewed again before it was used");
  }

  /** Forgets certificates that can neither be used nor renewed any more; the audit log keeps what was. For retention. */
  async prune(): Promise<void> {
    await this.#deps.store.write((tx) => pruneCertificates(tx, this.#deps.clock() - HOST_GRACE_MS));
  }

  /**
   * The replaced certificate opens nothing more. What its holder opened with it goes on, shells above all: it ends with the
   * certificate that took its place, or at its own end.
   */
  async #retire(serial: string): Promise<void> {
    const { store, clock } = this.#deps;
    await store.write(async (tx) => {
      const found = await selectCertificate(tx, serial);
      if (found === undefined || found.state === "revoked") return;
      await this.#update(tx, [found], {
        state: "revoked",
        revokedAt: clock(),
        revokeReason: "replaced by its renewal",
      });
    });
  }

  async #select(db: Db, filter: CertificateFilter): Promise<CertificateRow[]> {
    return await selectCertificates(db, { ...filter, limit: MOST });
  }

  async #end(tx: Tx, found: readonly CertificateRow[], reason: string): Promise<void> {
    await this.#change(tx, found, { state: "revoked", revokedAt: this.#deps.clock(), revokeReason: reason });
  }

  async #change(tx: Tx, found: readonly CertificateRow[], change: CertificateChange): Promise<void> {
    await this.#update(tx, found, change);
    await this.#endCalls(tx, found, stateRefusal(change.state, change.revokeReason));
  }

  async #update(tx: Tx, found: readonly CertificateRow[], change: CertificateChange): Promise<void> {
    for (const row of found) {
      await updateCertificate(tx, row.serial, change);
      await this.#note(tx, row);
    }
    const fingerprints = found.map(({ fingerprint }) => fingerprint);
    if (found.length > 0) tx.afterCommit(() => this.#deps.principals.forgetCertificates(fingerprints));
  }

  async #endCalls(tx: Tx, found: readonly CertificateRow[], refusal: HpsError | undefined): Promise<void> {
    if (found.length === 0 || refusal === undefined) return;
    const fingerprints: string[] = [];
    for (const row of found) fingerprints.push(...(await this.#lineOf(tx, row)));
    tx.afterCommit(() => this.#deps.live.certificatesEnded(fingerprints, refusal));
  }

  /** Fingerprints of a certificate and of those it took the place of, as far back as calls can still be open. */
  async #lineOf(tx: Tx, row: CertificateRow): Promise<readonly string[]> {
    const before = row.replaces === null ? undefined : await selectCertificate(tx, row.replaces);
    const retired = before?.state === "revoked" && before.notAfter > this.#deps.clock();
    if (!retired) return [row.fingerprint];
    return [row.fingerprint, ...(await this.#lineOf(tx, before))];
  }

  async #note(tx: Tx, { serial, clusterId }: Pick<CertificateRow, "serial" | "clusterId">): Promise<void> {
    await this.#deps.changes.note(tx, { kind: "certificate", objectId: serial, clusterId, deleted: false });
  }
}

function filterOf(which: Revocable): CertificateFilter {
  if ("serial" in which) return { serial: which.serial };
  if ("installationId" in which) return { kind: "installer", subject: which.installationId };
  if ("hostId" in which) return { hostId: which.hostId };
  return { kind: "operator", subject: which.operator };
}
