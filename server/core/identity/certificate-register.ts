import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import {
  type CertificatePage,
  type CertificateRow,
  selectCertificate,
  selectCertificates,
} from "../../store/certificates.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import type { Audit, AuditActor } from "../audit/audit.ts";
import type { Certificates } from "./certificates.ts";

/** What is shown of a certificate. */
export type CertificateView = CertificateRow;

interface Deps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly certificates: Certificates;
}

/** What an admin sees and does of the certificates. */
export class CertificateRegister {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Newest first. */
  async list(page: CertificatePage): Promise<readonly CertificateRow[]> {
    return await this.#deps.store.read((db) => selectCertificates(db, page));
  }

  async get(serial: string): Promise<CertificateRow> {
    return await this.#deps.store.read((db) => existing(db, serial));
  }

  /**
   * Works on the next call and on open ones. Revoking one that is revoked changes nothing. `precondition` for a server's:
   * no client asks whether that is revoked, so it would open as much as before.
   */
  async revoke(who: AuditActor, serial: string, reason: string): Promise<CertificateRow> {
    const { store, audit, certificates } = this.#deps;
    return await store.write(async (tx) => {
      const { kind, clusterId } = await existing(tx, serial);
      if (kind === "server") {
        throw new HpsError("precondition", "a server's certificate cannot be revoked", {
          hint: "rotate it: hpsctl cert rotate-server",
        });
      }
      if ((await certificates.revoke(tx, { serial }, reason)) > 0) {
        await audit.allowed(tx, who, { target: `certificate:${serial}`, clusterId, reason });
      }
      return await existing(tx, serial);
    });
  }
}

async function existing(db: Db, serial: string): Promise<CertificateRow> {
  const row = await selectCertificate(db, serial);
  if (row === undefined) throw new HpsError("not-found", `no certificate ${quote(serial)}`, { hint: "hpsctl cert ls" });
  return row;
}
