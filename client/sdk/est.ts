/** Enrolment over Secure Transport (RFC 7030), as an operator needs it: the root by its pin, a first certificate, the next one. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { authorityTrustDomain } from "../../certs/certificate-identity.ts";
import { type Credentials, pairCredentials, tlsKeyPair } from "../../certs/credentials.ts";
import { requestBody } from "../../certs/csr.ts";
import type { KeyPair } from "../../certs/key.ts";
import { decodeCertificates } from "../../certs/pkcs7.ts";
import { createTrust } from "../../certs/trust.ts";
import { verifyPeer } from "../../certs/verify.ts";
import { digestOf } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HttpsUrl } from "../../proto/values/https-url.ts";
import type { Invitation } from "../../proto/values/invitation.ts";
import { askHttps } from "./https-request.ts";

const PATH = "/.well-known/est";
const LOGIN_MS = 15_000;

/** The certificate the invitation pins, among those the server shows. No secret is sent before it is found. */
export async function fetchPinnedRoot(
  url: HttpsUrl,
  invitation: Invitation,
  signal: AbortSignal,
): Promise<X509Certificate> {
  const body = await askHttps({ url, path: `${PATH}/cacerts`, trust: "anyone", timeoutMs: LOGIN_MS, signal });
  const root = decodeCertificates(body).find(({ raw }) => digestOf(raw) === invitation.rootDigest);
  if (root === undefined) {
    throw new HpsError("unauthenticated", `${url} is not the server this invitation is for: it has another root`, {
      hint: "check the address with the admin who invited you; someone may be between you and the server",
    });
  }
  return root;
}

export interface Enrolment {
  readonly url: HttpsUrl;
  readonly root: X509Certificate;
  readonly key: KeyPair;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** The operator's first certificate for `key`, in exchange for the invitation. */
export async function enrolOperator(enrolment: Enrolment, invitation: Invitation): Promise<Credentials> {
  const { url, root, key, now, signal } = enrolment;
  const body = await askHttps({
    url,
    path: `${PATH}/simpleenroll`,
    trust: trustIn(root),
    basic: `operator:${invitation.token}`,
    body: requestBody(key),
    timeoutMs: LOGIN_MS,
    signal,
  });
  return checkedCredentials(body, { root, privateKey: key.privateKey, now });
}

export interface Renewal extends Enrolment {
  readonly old: Credentials;
  readonly timeoutMs: number;
}

/** The next certificate for the same key. */
export async function reenrolOperator(renewal: Omit<Renewal, "signal">): Promise<Credentials> {
  const { url, root, key, now, old, timeoutMs } = renewal;
  const body = await askHttps({
    url,
    path: `${PATH}/simplereenroll`,
    trust: trustIn(root),
    tls: tlsKeyPair(old),
    body: requestBody(key),
    timeoutMs,
  });
  return checkedCredentials(body, { root, privateKey: key.privateKey, now });
}

function trustIn(root: X509Certificate) {
  return { root: root.toString(), trustDomain: authorityTrustDomain(root) };
}

interface Expected {
  readonly root: X509Certificate;
  readonly privateKey: KeyObject;
  readonly now: number;
}

/** What we are given must be ours, an operator's, good now, and of this root. */
function checkedCredentials(body: Buffer, { root, privateKey, now }: Expected): Credentials {
  const chain = decodeCertificates(body).filter(({ raw }) => !raw.equals(root.raw));
  const credentials = pairCredentials(privateKey, chain);
  const trust = createTrust([root], credentials.intermediates);
  const { identity } = verifyPeer(trust, { leaf: credentials.certificate.raw, purpose: "client", now });
  if (identity.kind !== "operator")
    throw new HpsError("data-loss", `the server issued a certificate of a ${identity.kind}`);
  return credentials;
}
