import { rootCertificates } from "node:tls";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { httpsUrlParts } from "../../proto/values/https-url.ts";
import type { MirrorUrl } from "../../proto/values/mirror-url.ts";
import type { Target } from "./connection.ts";
import { refusalOf } from "./est-answer.ts";
import { fastestCipher } from "./fastest-cipher.ts";
import type { Identity } from "./identity.ts";

/** A server that has files by their digests. */
export interface FileOrigin {
  /** For messages. */
  readonly address: string;
  /** As it is at this moment: renewal changes the agent's certificate. */
  readonly target: () => Target;
  readonly path: (digest: string) => string;
  readonly refusal: (status: number, body: Buffer) => HpsError;
}

type Caller = Pick<Identity, "contact" | "credentials">;

/** hpsd itself, who checks the agent's certificate at each request; verified by the contact's root and nothing else. */
export function hpsdOrigin(identity: Caller): FileOrigin {
  return {
    address: identity.contact.https,
    target: () => {
      const { https, rootCertificate, trustDomain } = identity.contact;
      const trust = { ca: rootCertificate, checkServerIdentity: serverIdentityCheck(trustDomain) };
      // The second is said outright, because an environment variable could switch the default off.
      const tls = { ...trust, rejectUnauthorized: true, minVersion: "TLSv1.3" as const, ciphers: fastestCipher() };
      return { ...httpsUrlParts(https), tls: { ...tls, ...tlsKeyPair(identity.credentials) } };
    },
    path: (digest) => `/files/v1/${digest}`,
    refusal: (status, body) => refusalOf({ status, body }),
  };
}

/**
 * Another server with the same files, as BASE/DIGEST. It is told nothing of this agent, and nothing that it says is
 * believed unless digests prove it; so it may be any that the world's certificate authorities know, or HPS's own.
 */
export function mirrorOrigin(base: MirrorUrl, { rootCertificate }: { readonly rootCertificate: string }): FileOrigin {
  const { hostname, port, protocol, pathname } = new URL(`${base}/`);
  const ca = [...rootCertificates, rootCertificate];
  const tls = protocol === "https:" ? { ca, rejectUnauthorized: true, minVersion: "TLSv1.2" as const } : undefined;
  const usual = tls === undefined ? 80 : 443;
  const target = { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port), tls };
  return {
    address: base,
    target: () => target,
    path: (digest) => `${pathname}${digest}`,
    refusal: (status) => new HpsError(refusalCode(status), `${base} answers with status ${status}`),
  };
}

/** What it has not got may yet be there tomorrow, or elsewhere now. */
function refusalCode(status: number): ErrorCode {
  return status >= 400 && status < 500 ? "not-found" : "unavailable";
}
