import type { X509Certificate } from "node:crypto";
import { openAuthority } from "../../../certs/authority.ts";
import { makeRequest } from "../../../certs/csr.ts";
import { readCertificatesPem } from "../../../certs/files.ts";
import { makeKey } from "../../../certs/key.ts";
import { createTrust } from "../../../certs/trust.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore } from "../../store/database.ts";
import {
  activateIntermediate,
  deletePrepared,
  type IntermediateRow,
  insertIntermediate,
  selectIntermediates,
} from "../../store/intermediates.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Authority } from "./authority.ts";

export interface IntermediateRotationDeps {
  readonly store: HpsStore;
  readonly authority: Authority;
  readonly audit: Audit;
  readonly clock: Clock;
}

/** An intermediate with less than this to live would soon have to be rotated again. */
const SHORTEST_MS = 24 * 60 * 60 * 1000;

/** A new intermediate while the root's key stays offline: prepare here, sign there, install here. */
export class IntermediateRotation {
  readonly #deps: IntermediateRotationDeps;

  constructor(deps: IntermediateRotationDeps) {
    this.#deps = deps;
  }

  /** Makes a key and gives its PKCS#10 in PEM. One that was prepared before and not installed is forgotten. */
  async prepare(who: AuditActor): Promise<string> {
    const { store, authority, audit, clock } = this.#deps;
    const key = makeKey();
    const id = newUuid();
    await authority.keys.write(id, key.privateKey);
    const dropped = await store.write(async (tx) => {
      const old = (await selectIntermediates(tx)).filter(({ state }) => state === "prepared");
      await deletePrepared(tx);
      await insertIntermediate(tx, { id, state: "prepared", pem: null, notAfter: null, createdAt: clock() });
      await audit.allowed(tx, who, { target: `intermediate:${id}` });
      return old;
    });
    for (const old of dropped) await authority.keys.remove(old.id);
    return requestPem(makeRequest(key));
  }

  /**
   * Takes the signed certificate into use: everything is signed with it from now on, and what was signed before stays good.
   * `invalid` when it is not of our root or not for the prepared key; `precondition` when nothing was prepared.
   */
  async install(who: AuditActor, pem: string): Promise<void> {
    const { store, authority, audit } = this.#deps;
    const certificate = this.#checked(pem);
    const prepared = await this.#prepared();
    const issuer = openAuthority(certificate, await authority.keys.read(prepared.id));
    const retired = await store.write(async (tx) => {
      const rows = await selectIntermediates(tx);
      if (!rows.some(({ id, state }) => id === prepared.id && state === "prepared")) throw nothingPrepared();
      const notAfter = certificate.validToDate.getTime();
      await activateIntermediate(tx, { id: prepared.id, pem: certificate.toString(), notAfter });
      await audit.allowed(tx, who, { target: `intermediate:${prepared.id}` });
      tx.afterCommit(() => authority.use(issuer));
      return rows.filter(({ state }) => state === "active");
    });
    for (const old of retired) await authority.keys.remove(old.id);
  }

  async #prepared(): Promise<IntermediateRow> {
    const rows = await this.#deps.store.read(selectIntermediates);
    const prepared = rows.find(({ state }) => state === "prepared");
    if (prepared === undefined) throw nothingPrepared();
    return prepared;
  }

  #checked(pem: string): X509Certificate {
    const now = this.#deps.clock();
    const [certificate, ...more] = readCertificatesPem(pem, "the request");
    if (certificate === undefined || more.length > 0) throw new HpsError("invalid", "send exactly one certificate");
    createTrust([this.#deps.authority.root], [certificate]);
    if (certificate.fingerprint256 === this.#deps.authority.root.fingerprint256 || !certificate.ca) {
      throw new HpsError("invalid", "this certificate is not an intermediate's");
    }
    if (certificate.validFromDate.getTime() > now || certificate.validToDate.getTime() < now + SHORTEST_MS) {
      throw new HpsError("invalid", "this intermediate is not valid now, or not for a day more", {
        hint: "check the clock of the machine that signed it",
      });
    }
    return certificate;
  }
}

function requestPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join("\n");
}

function nothingPrepared(): HpsError {
  return new HpsError("precondition", "no intermediate is prepared", { hint: "hpsctl cert prepare-intermediate" });
}
