import { createPublicKey } from "node:crypto";
import { readCertificatesPem } from "../../../certs/files.ts";
import { makeKey, privateKeyPem, publicKeyDigest } from "../../../certs/key.ts";
import { renewalTime, renewalWait } from "../../../certs/renewal.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type CertificateRow, selectCertificates } from "../../store/certificates.ts";
import type { HpsStore } from "../../store/database.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Authority } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import type { SignedCertificate } from "./signed-certificate.ts";

/** What a listener answers with, PEM, leaf first; the shape of proto/rpc's ServerCertificate. */
export interface ServerKeyPair {
  readonly key: string;
  readonly chain: string;
}

export interface ServerCredentialsDeps {
  readonly store: HpsStore;
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly audit: Audit;
  readonly clock: Clock;
  /** Its identity, and every name and address by which clients know it. */
  readonly name: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** A renewal by itself that failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

const KEY_NAME = "server";
const RETRY_MS = 60_000;
const HPSD: AuditActor = { actor: "hpsd", action: "renew-server-certificate", address: "" };

/** hpsd's own certificate: kept over a restart, renewed at two thirds of its life, pushed to every listener. */
export class ServerCredentials {
  readonly #deps: ServerCredentialsDeps;
  readonly #listeners: ((pair: ServerKeyPair) => void)[] = [];
  #current: ServerKeyPair = { key: "", chain: "" };
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(deps: ServerCredentialsDeps) {
    this.#deps = deps;
  }

  /** Takes the certificate of the last run when it is still good and has every name; else issues one. */
  static async open(deps: ServerCredentialsDeps): Promise<ServerCredentials> {
    const credentials = new ServerCredentials(deps);
    const kept = await credentials.#kept();
    if (kept === undefined) await credentials.rotate(HPSD);
    else credentials.#use(kept.pair, kept.row);
    return credentials;
  }

  get current(): ServerKeyPair {
    return this.#current;
  }

  /** `push` is called with each new certificate; it is for new connections. Must not throw. */
  onChange(push: (pair: ServerKeyPair) => void): void {
    this.#listeners.push(push);
  }

  /** A new key and certificate, in use when this resolves. One at a time. */
  async rotate(who: AuditActor): Promise<SignedCertificate> {
    const turn = this.#last.then(() => this.#issue(who));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #issue(who: AuditActor): Promise<SignedCertificate> {
    const { store, authority, certificates, audit, name, dnsNames, ipAddresses } = this.#deps;
    const key = makeKey();
    const names = { dnsNames, ipAddresses };
    const request = { kind: "server", subject: name, publicKey: key.publicKey } as const;
    const signed = await authority.sign({ ...request, ...names });
    // The key first: a key without its certificate is only made anew, a certificate without its key would be lost.
    await authority.keys.write(KEY_NAME, key.privateKey);
    await store.write(async (tx) => {
      await certificates.record(tx, signed, { state: "valid" });
      await audit.allowed(tx, who, { target: `certificate:${signed.serial}` });
    });
    this.#use({ key: privateKeyPem(key.privateKey), chain: signed.chainPem }, signed);
    return signed;
  }

  #use(pair: ServerKeyPair, life: { readonly notBefore: number; readonly notAfter: number }): void {
    this.#current = pair;
    for (const push of this.#listeners) push(pair);
    this.#schedule(life, Math.random());
  }

  #schedule(life: { readonly notBefore: number; readonly notAfter: number }, random: number): void {
    clearTimeout(this.#timer);
    const wait = renewalWait(life, this.#deps.clock(), random);
    this.#timer = setTimeout(() => void this.#renewOrWait(life, random), wait).unref();
  }

  async #renewOrWait(life: { readonly notBefore: number; readonly notAfter: number }, random: number): Promise<void> {
    if (this.#deps.clock() < renewalTime(life, random)) return this.#schedule(life, random);
    try {
      await this.rotate(HPSD);
    } catch (error) {
      this.#deps.onError(error);
      this.#timer = setTimeout(() => void this.#renewOrWait(life, random), RETRY_MS).unref();
    }
  }

  async #kept(): Promise<{ readonly pair: ServerKeyPair; readonly row: CertificateRow } | undefined> {
    const { store, authority, clock, name } = this.#deps;
    const key = await keyOrNone(() => authority.keys.read(KEY_NAME));
    if (key === undefined) return undefined;
    const publicKey = publicKeyDigest(createPublicKey(key));
    const filter = {
      kind: "server",
      subject: name,
      publicKey,
      states: ["valid"],
      endsAfter: clock(),
      limit: 1,
    } as const;
    const [row] = await store.read((db) => selectCertificates(db, filter));
    if (row === undefined || !this.#names(row.pem)) return undefined;
    return { pair: { key: privateKeyPem(key), chain: row.pem }, row };
  }

  /** Whether the certificate is for everything it has to be for; one name too many is one too few elsewhere, so it counts too. */
  #names(pem: string): boolean {
    const [leaf] = readCertificatesPem(pem, "the server certificate");
    const { dnsNames, ipAddresses } = this.#deps;
    const written = (leaf?.subjectAltName ?? "").split(", ").filter((name) => !name.startsWith("URI:")).length;
    return (
      leaf !== undefined &&
      written === dnsNames.length + ipAddresses.length &&
      dnsNames.every((name) => leaf.checkHost(name, { subject: "never" }) !== undefined) &&
      ipAddresses.every((address) => leaf.checkIP(address) !== undefined)
    );
  }
}

async function keyOrNone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HpsError && error.code === "not-found") return undefined;
    throw error;
  }
}
