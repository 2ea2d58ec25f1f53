import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { type Credentials, tlsKeyPair } from "../../certs/credentials.ts";
import { requestBody } from "../../certs/csr.ts";
import type { KeyPair } from "../../certs/key.ts";
import { decodeCertificates } from "../../certs/pkcs7.ts";
import type { ClaimToken } from "../../proto/values/claim-token.ts";
import { type Facts, formatFactsHeader, identityFacts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Contact } from "./contact.ts";
import { refusalOf, retryAfter, unreachable } from "./est-answer.ts";
import { connectionOf } from "./https-connection.ts";

/** An EST server's answer (RFC 7030, section 4.2.3): a chain, leaf first, or: ask again later. */
export type EstAnswer =
  | { readonly kind: "issued"; readonly chain: readonly X509Certificate[] }
  | { readonly kind: "pending"; readonly waitMs: number };

const TIME_LIMIT = 20_000;
const BODY_LIMIT = 256 * 1024;

export interface Enrolment {
  readonly key: KeyPair;
  readonly token: ClaimToken;
  readonly facts: Facts;
}

/** `simpleenroll` with the claim's token. Throws what `refusalOf` or `unreachable` make of a failure. */
export function simpleEnroll(contact: Contact, { key, token, facts }: Enrolment, signal: AbortSignal) {
  const headers = {
    authorization: `Basic ${Buffer.from(`claim:${token}`).toString("base64")}`,
    "hps-facts": formatFactsHeader(identityFacts(facts)),
  };
  return ask(contact, { path: "simpleenroll", key, headers, tls: {} }, signal);
}

/** `simplereenroll` with the present certificate, for the same key. */
export function simpleReenroll(contact: Contact, credentials: Credentials, signal: AbortSignal) {
  const key = { privateKey: credentials.privateKey, publicKey: credentials.certificate.publicKey };
  return ask(contact, { path: "simplereenroll", key, headers: {}, tls: tlsKeyPair(credentials) }, signal);
}

interface Ask {
  readonly path: string;
  readonly key: KeyPair;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly key?: string; readonly cert?: string };
}

async function ask(contact: Contact, { path, key, headers, tls }: Ask, signal: AbortSignal): Promise<EstAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIME_LIMIT)]);
  const body = requestBody(key);
  const options: RequestOptions = {
    ...connectionOf(contact),
    ...tls,
    method: "POST",
    path: `/.well-known/est/${path}`,
    headers: {
      ...headers,
      accept: "application/pkcs7-mime, application/json",
      "content-type": "application/pkcs10",
      "content-length": Buffer.byteLength(body),
    },
    signal: limit,
  };
  try {
    const response = await send(options, body);
    return answerOf(response, await bodyOf(response));
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HpsError ? error : unreachable(contact.https, error);
  }
}

function send(options: RequestOptions, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > BODY_LIMIT) throw new HpsError("invalid", `hpsd's answer is longer than ${BODY_LIMIT} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function answerOf(response: IncomingMessage, body: Buffer): EstAnswer {
  if (response.statusCode === 200) return { kind: "issued", chain: decodeCertificates(body) };
  const waitMs = retryAfter(response.headers["retry-after"]);
  if (response.statusCode === 202) return { kind: "pending", waitMs: waitMs ?? 10_000 };
  throw refusalOf({ status: response.statusCode ?? 0, body, ...(waitMs !== undefined && { waitMs }) });
}
