import type { KeyObject, X509Certificate } from "node:crypto";
import { type Authority as Issuer, openAuthority } from "../../../certs/authority.ts";
import { readCertificatesPem } from "../../../certs/files.ts";
import { type IdentityKind, identityUri } from "../../../certs/identity.ts";
import { issue } from "../../../certs/issue.ts";
import type { Profile } from "../../../certs/profiles.ts";
import { createTrust, type Trust } from "../../../certs/trust.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";
import { type IntermediateRow, selectIntermediates } from "../../store/intermediates.ts";
import { selectSetting } from "../../store/settings.ts";
import type { Clock } from "../audit/audit.ts";
import { KeyFolder } from "./key-folder.ts";
import { LIFETIME } from "./lifetimes.ts";
import { refuseRootKey } from "./root-key-guard.ts";
import { peerIdentity, type SignedCertificate, signedCertificate } from "./signed-certificate.ts";

export interface AuthorityDeps {
  readonly store: HpsStore;
  readonly stateFolder: string;
  readonly clock: Clock;
  /** How long what is signed lives, in ms, by kind. */
  readonly lifetimes?: Readonly<Record<IdentityKind, number>>;
}

/** What to sign. Of the asker only the key; the rest the server decided. */
export interface SignRequest {
  readonly kind: IdentityKind;
  /** Operator name, installation id, host id or server name. */
  readonly subject: string;
  readonly publicKey: KeyObject;
  /** Default: what this hpsd's configuration says for the kind. */
  readonly lifetimeMs?: number;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Default: the kind's. */
  readonly profile?: Profile;
}

/** hpsd's certificate authority: the root it believes, the intermediate it signs with, and those it signed with before. */
export class Authority {
  readonly keys: KeyFolder;
  readonly rootPem: string;
  readonly trustDomain: string;
  readonly #deps: AuthorityDeps;
  readonly #lifetimes: Readonly<Record<IdentityKind, number>>;
  readonly #root: X509Certificate;
  #issuer: Issuer;
  #trust: Trust;
  #intermediates: readonly X509Certificate[];

  private constructor(deps: AuthorityDeps, keys: KeyFolder, loaded: Loaded) {
    this.#deps = deps;
    this.#lifetimes = deps.lifetimes ?? LIFETIME;
    this.keys = keys;
    this.#root = loaded.root;
    this.rootPem = loaded.root.toString();
    this.#issuer = loaded.issuer;
    this.trustDomain = loaded.issuer.trustDomain;
    this.#intermediates = loaded.intermediates;
    this.#trust = createTrust([loaded.root], loaded.intermediates);
  }

  /**
   * Reads what `initAuthority` made. `precondition` when it did not, when a key file or its folder is open to others, and
   * when the root's private key lies in the state folder.
   */
  static async open(deps: AuthorityDeps): Promise<Authority> {
    const { root, rows } = await deps.store.read(async (db) => ({
      root: await selectSetting(db, "root-certificate"),
      rows: await selectIntermediates(db),
    }));
    const active = rows.find(({ state }) => state === "active");
    if (root === undefined || active?.pem == null) {
      throw new HpsError("precondition", "this state folder has no certificate authority", { hint: "run hpsd init" });
    }
    const rootCertificate = onlyCertificate(root, "the root certificate");
    await refuseRootKey(deps.stateFolder, rootCertificate);
    const keys = new KeyFolder(deps.stateFolder);
    await keys.open();
    const issuer = openAuthority(onlyCertificate(active.pem, "the intermediate"), await keys.read(active.id));
    const intermediates = unexpired(rows, deps.clock());
    return new Authority(deps, keys, { root: rootCertificate, issuer, intermediates });
  }

  /** Whom to believe now. Another object after each rotation. */
  trust(): Trust {
    return this.#trust;
  }

  get root(): X509Certificate {
    return this.#root;
  }

  /** Root first, then every intermediate in use or whose certificates may still be: what EST's cacerts answers. */
  get certificates(): readonly X509Certificate[] {
    return [this.#root, ...this.#intermediates];
  }

  /** When the intermediate in use ends, UTC ms: nothing is signed beyond. */
  get intermediateEnd(): number {
    return this.#issuer.certificate.validToDate.getTime();
  }

  uriOf(kind: IdentityKind, subject: string): string {
    return identityUri(this.trustDomain, peerIdentity(kind, subject));
  }

  /** Signs by the profile of the kind. What is signed opens nothing until `Certificates.record` has it. */
  async sign({
    kind,
    subject,
    lifetimeMs = this.#lifetimes[kind],
    ...request
  }: SignRequest): Promise<SignedCertificate> {
    const identity = peerIdentity(kind, subject);
    const issuer = this.#issuer;
    const leaf = await issue(issuer, { ...request, identity, now: this.#deps.clock(), lifetime: lifetimeMs });
    return signedCertificate(identity, leaf, issuer.certificate);
  }

  /** Signs with this intermediate from now on; the ones before stay believed. For IntermediateRotation, after its commit. */
  use(issuer: Issuer): void {
    const now = this.#deps.clock();
    const still = this.#intermediates.filter((known) => known.validToDate.getTime() > now);
    this.#intermediates = [...still, issuer.certificate];
    this.#trust = createTrust([this.#root], this.#intermediates);
    this.#issuer = issuer;
  }
}

interface Loaded {
  readonly root: X509Certificate;
  readonly issuer: Issuer;
  readonly intermediates: readonly X509Certificate[];
}

function unexpired(rows: readonly IntermediateRow[], now: number): readonly X509Certificate[] {
  return rows.flatMap(({ id, pem, notAfter }) =>
    pem === null || (notAfter ?? 0) <= now ? [] : [onlyCertificate(pem, `intermediate ${id}`)],
  );
}

function onlyCertificate(pem: string, what: string): X509Certificate {
  const [certificate] = readCertificatesPem(pem, what);
  if (certificate === undefined) throw new HpsError("data-loss", `the store holds no ${what}`);
  return certificate;
}
