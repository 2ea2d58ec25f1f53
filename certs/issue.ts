import type { KeyObject, X509Certificate } from "node:crypto";
import type { JsonGeneralNames } from "@peculiar/x509";
import { parseDomainName } from "../proto/values/domain-name.ts";
import { HpsError } from "../proto/values/hps-error.ts";
import { parseIpAddress } from "../proto/values/ip-address.ts";
import { type Authority, BACKDATING, boundedEnd } from "./authority.ts";
import { identityText, identityUri, type PeerIdentity } from "./identity.ts";
import { PROFILES, type Profile, USAGE } from "./profiles.ts";
import { signCertificate, signerOf } from "./sign-certificate.ts";

/** What the server decided. Of a request nothing but `publicKey` comes from the asker. */
export interface IssueOptions {
  readonly identity: PeerIdentity;
  readonly publicKey: KeyObject;
  /** UTC milliseconds. */
  readonly now: number;
  /** Milliseconds from now: at least a minute, at most what the profile allows. */
  readonly lifetime: number;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Default: of the identity's kind. */
  readonly profile?: Profile;
}

/** Issues the certificate of one identity, by the profile of its kind. It may end earlier: never after its issuer. */
export async function issue(issuer: Authority, options: IssueOptions): Promise<X509Certificate> {
  const { identity, publicKey, now, profile = PROFILES[options.identity.kind] } = options;
  checkLifetime(options, profile);
  return signCertificate(signerOf(issuer.certificate, issuer.privateKey), {
    commonName: identityText(identity),
    names: [{ type: "url", value: identityUri(issuer.trustDomain, identity) }, ...hostNames(options, profile)],
    publicKey,
    notBefore: now - BACKDATING,
    notAfter: boundedEnd(issuer, now, now + options.lifetime),
    role: { usage: USAGE[profile.purpose] },
  });
}

function checkLifetime({ identity, lifetime }: IssueOptions, profile: Profile): void {
  if (lifetime >= BACKDATING && lifetime <= profile.longest) return;
  throw new HpsError("invalid", `a certificate of ${identityText(identity)} cannot live ${lifetime} ms`, {
    hint: `between ${BACKDATING} and ${profile.longest} ms`,
  });
}

function hostNames(options: IssueOptions, profile: Profile): JsonGeneralNames {
  const { dnsNames = [], ipAddresses = [] } = options;
  const who = identityText(options.identity);
  if (profile.named !== dnsNames.length + ipAddresses.length > 0) {
    throw new HpsError(
      "invalid",
      `a certificate of ${who} ${profile.named ? "needs a" : "has no"} DNS name or address`,
    );
  }
  return [
    // No wildcards: a server's names are all known.
    ...dnsNames.map((name) => ({ type: "dns" as const, value: parseDomainName(name) })),
    ...ipAddresses.map((address) => ({ type: "ip" as const, value: parseIpAddress(address) })),
  ];
}
