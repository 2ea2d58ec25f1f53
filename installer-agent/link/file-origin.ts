import { request as plainRequest } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { rootCertificates } from "node:tls";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import type { MirrorUrl } from "../../proto/values/mirror-url.ts";
import { refusalOf } from "./est-answer.ts";
import { fastestCipher } from "./fastest-cipher.ts";
import { connectionOf } from "./https-connection.ts";
import type { Identity } from "./identity.ts";

/** A server that has files by their digests. */
export interface FileOrigin {
  /** For messages. */
  readonly address: string;
  readonly request: typeof request;
  /** As they are at this moment: renewal changes the agent's certificate. */
  readonly options: (digest: string) => RequestOptions;
  readonly refusal: (status: number, body: Buffer) => HpsError;
}

type Caller = Pick<Identity, "contact" | "credentials">;

/** Keeps connections to hpsd, as many as that at once. Node keeps none whose server is checked for a request alone, so the agent does it for all. */
export function keptConnections({ contact }: Pick<Caller, "contact">, maxSockets: number): Agent {
  const checkServerIdentity = serverIdentityCheck(contact.trustDomain);
  return new Agent({ keepAlive: true, maxSockets, maxCachedSessions: 0, checkServerIdentity });
}

/** hpsd itself, who checks the agent's certificate at each request; over connections that `kept` keeps, or each over its own. */
export function hpsdOrigin(identity: Caller, kept?: Agent): FileOrigin {
  const connection = (): RequestOptions => {
    const { checkServerIdentity, agent, ...rest } = connectionOf(identity.contact);
    return kept === undefined ? { ...rest, checkServerIdentity, agent } : { ...rest, agent: kept };
  };
  return {
    address: identity.contact.https,
    request,
    options: (digest) => ({
      ...connection(),
      ...tlsKeyPair(identity.credentials),
      ...{ path: `/files/v1/${digest}`, ciphers: fastestCipher() },
    }),
    refusal: (status, body) => refusalOf({ status, body }),
  };
}

/**
 * Another server with the same files, as BASE/DIGEST. It is told nothing of this agent, and nothing that it says is
 * believed unless digests prove it; so it may be any that the world's certificate authorities know, or HPS's own.
 */
export function mirrorOrigin(base: MirrorUrl, { rootCertificate }: { readonly rootCertificate: string }): FileOrigin {
  const url = new URL(`${base}/`);
  const ca = [...rootCertificates, rootCertificate];
  const secure = { ca, rejectUnauthorized: true, minVersion: "TLSv1.2" as const };
  const { hostname, port, protocol, pathname } = url;
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    address: base,
    request: protocol === "http:" ? plainRequest : request,
    options: (digest) => ({
      ...(protocol === "https:" && secure),
      ...{ host, path: `${pathname}${digest}`, ...(port !== "" && { port }) },
    }),
    refusal: (status) => new HpsError(refusalCode(status), `${base} answers with status ${status}`),
  };
}

/** What it has not got may yet be there tomorrow, or elsewhere now. */
function refusalCode(status: number): ErrorCode {
  return status >= 400 && status < 500 ? "not-found" : "unavailable";
}
