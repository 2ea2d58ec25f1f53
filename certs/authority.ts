import type { KeyObject, X509Certificate } from "node:crypto";
import { HpsError } from "../proto/values/hps-error.ts";
import { quote } from "../proto/values/safe-text.ts";
import { authorityTrustDomain } from "./certificate-identity.ts";
import { trustDomainUri } from "./identity.ts";
import { keyIdentifier, makeKey } from "./key.ts";
import { signCertificate, signerOf, subjectName } from "./sign-certificate.ts";

/** A certificate that may sign others, with its key. */
export interface Authority {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
  readonly trustDomain: string;
}

/** Times are UTC milliseconds, `lifetime` is milliseconds. `name` is for people. */
export interface AuthorityOptions {
  readonly name: string;
  readonly now: number;
  readonly lifetime: number;
}

/** A peer whose clock is a little behind must not refuse what was just made. */
export const BACKDATING = 60_000;

/** Makes a root, with a new key, for one trust domain. It may sign intermediates only. */
export async function createRoot(options: AuthorityOptions & { readonly trustDomain: string }): Promise<Authority> {
  const keys = makeKey();
  const commonName = authorityName(options.name, keys.publicKey);
  const { trustDomain } = options;
  const certificate = await signCertificate(
    { subject: subjectName(commonName), privateKey: keys.privateKey, keyIdentifier: keyIdentifier(keys.publicKey) },
    { ...authorityContent(options, trustDomain), commonName, publicKey: keys.publicKey, role: { pathLength: 1 } },
  );
  return { certificate, privateKey: keys.privateKey, trustDomain };
}

/** Makes an issuing intermediate, with a new key, under `root`. It may sign leaves only and never outlives the root. */
export async function createIntermediate(root: Authority, options: AuthorityOptions): Promise<Authority> {
  const { publicKey, privateKey } = makeKey();
  const certificate = await signIntermediate(root, publicKey, options);
  return { certificate, privateKey, trustDomain: root.trustDomain };
}

/** The same for a key that stays where it was made. */
export async function signIntermediate(
  root: Authority,
  publicKey: KeyObject,
  options: AuthorityOptions,
): Promise<X509Certificate> {
  const content = authorityContent(options, root.trustDomain);
  return await signCertificate(signerOf(root.certificate, root.privateKey), {
    ...content,
    notAfter: boundedEnd(root, options.now, content.notAfter),
    commonName: authorityName(options.name, publicKey),
    publicKey,
    role: { pathLength: 0 },
  });
}

/** Puts a stored authority together again; refuses a key of another certificate and a certificate that may not sign. */
export function openAuthority(certificate: X509Certificate, privateKey: KeyObject): Authority {
  if (!certificate.ca) throw new HpsError("invalid", "this certificate is not a certificate authority's");
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new HpsError("invalid", "this private key is not the certificate authority's");
  }
  return { certificate, privateKey, trustDomain: authorityTrustDomain(certificate) };
}

/** `end`, or the authority's own end when that comes first; refuses an authority that is over. */
export function boundedEnd(authority: Authority, now: number, end: number): number {
  const last = authority.certificate.validToDate.getTime();
  if (last - now < BACKDATING) {
    throw new HpsError("precondition", `the certificate authority expires at ${new Date(last).toISOString()}`, {
      hint: "make a new intermediate before issuing more certificates",
    });
  }
  return Math.min(last, end);
}

/** Distinct per key, so that two intermediates of one name are never taken for each other. */
function authorityName(name: string, publicKey: KeyObject): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,49}$/.test(name)) {
    throw new HpsError("invalid", `not a name for a certificate authority: ${quote(name)}`, {
      hint: "use letters, digits, spaces, '.', '-' and '_', at most 50",
    });
  }
  return `${name} ${keyIdentifier(publicKey).slice(0, 8)}`;
}

function authorityContent(options: AuthorityOptions, trustDomain: string) {
  if (options.lifetime < BACKDATING)
    throw new HpsError("invalid", "a certificate authority must live a minute or more");
  return {
    names: [{ type: "url" as const, value: trustDomainUri(trustDomain) }],
    notBefore: options.now - BACKDATING,
    notAfter: options.now + options.lifetime,
  };
}
