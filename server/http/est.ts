import type { X509Certificate } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { readRequest } from "../../certs/csr.ts";
import { readCertificatesPem } from "../../certs/files.ts";
import { certificatesBody } from "../../certs/pkcs7.ts";
import { parseClaimToken } from "../../proto/values/claim-token.ts";
import { type Facts, parseFactsHeader } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseInvitation } from "../../proto/values/invitation.ts";
import type { InvitationAsk } from "../core/identity/enrolment.ts";
import type { RenewalAsk } from "../core/identity/renewal.ts";
import { type BasicCredentials, readBasic } from "./basic.ts";
import type { DoorApp } from "./https-door.ts";
import type { RecordsRefusal } from "./monitoring.ts";
import { addressOf, chainOf } from "./peer.ts";

export interface ClaimAsk {
  readonly token: string;
  /** PKCS#10, DER or base64. */
  readonly csr: Buffer;
  readonly facts?: Facts;
  readonly address: string;
}

export type ClaimAnswer =
  | { readonly kind: "issued"; readonly chainPem: string }
  | { readonly kind: "pending"; readonly retryAfterMs: number };

export interface EstDeps {
  /** Root first. */
  readonly authorities: () => readonly X509Certificate[];
  readonly enrolByClaim: (ask: ClaimAsk) => Promise<ClaimAnswer>;
  readonly enrolByInvitation: (ask: InvitationAsk) => Promise<string>;
  readonly renew: (ask: RenewalAsk) => Promise<string>;
  /** Records the refusal of who got no further than this door; answers with the incident. */
  readonly refused: RecordsRefusal;
  /** Of one address; default: what the door allows of all requests. */
  readonly enrolmentsPerMinute?: number;
}

const BASE = "/.well-known/est";
const ENROL_TYPE = "application/pkcs10";
const LIMITED = { config: { rateLimit: {} } };

/**
 * EST (RFC 7030, bodies as RFC 8951 corrects them). Our answers to an enrolment carry the intermediate after the leaf,
 * where the RFC has the leaf alone: the peer we enrol knows only the root.
 */
export function estRoutes(deps: EstDeps): (app: DoorApp) => void {
  return (app) => {
    app.addContentTypeParser(ENROL_TYPE, { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => body);
    app.get(`${BASE}/cacerts`, LIMITED, (_request, reply) => send(reply, deps.authorities(), ""));
    // Nothing beside the key is taken from a request, so there is nothing to ask for (RFC 7030 section 4.5.2).
    app.get(`${BASE}/csrattrs`, LIMITED, (_request, reply) => reply.code(204).send());
    const { enrolmentsPerMinute: max } = deps;
    const enrolments = { config: { rateLimit: max === undefined ? {} : { max } } };
    app.post(`${BASE}/simpleenroll`, enrolments, (request, reply) => enrol(deps, request, reply));
    app.post(`${BASE}/simplereenroll`, LIMITED, async (request, reply) => {
      const ask = { chain: chainOf(request), publicKey: readRequest(bodyOf(request)), address: addressOf(request) };
      return await sendChain(reply, await deps.renew(ask));
    });
  };
}

async function enrol(deps: EstDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // RFC 7030 section 3.2.3; taken away again when all is well.
  void reply.header("www-authenticate", 'Basic realm="hps enrolment"');
  const credentials = readBasic(request.headers.authorization);
  const csr = bodyOf(request);
  const address = addressOf(request);
  if (credentials.user === "operator") {
    const publicKey = readRequest(csr);
    return await sendChain(reply, await deps.enrolByInvitation({ token: tokenIn(credentials), publicKey, address }));
  }
  if (credentials.user !== "claim") {
    const reason = "enrol as user claim or operator, with its token as password";
    const incident = await deps.refused({ actor: `address:${address}`, action: "enrol", address }, reason);
    throw new HpsError("unauthenticated", reason, { details: { incident } });
  }
  const facts = factsOf(request);
  const token = parseClaimToken(credentials.password);
  const answer = await deps.enrolByClaim({ token, csr, address, ...(facts && { facts }) });
  if (answer.kind === "issued") return await sendChain(reply, answer.chainPem);
  const seconds = Math.max(1, Math.ceil(answer.retryAfterMs / 1000));
  const text = "waiting for an operator's approval: ask again with the same key\n";
  return await reply
    .removeHeader("www-authenticate")
    .code(202)
    .header("retry-after", seconds)
    .type("text/plain")
    .send(text);
}

/** All of what `hpsctl operator invite` printed, or its secret half. */
function tokenIn({ password }: BasicCredentials): string {
  return password.includes(".") ? parseInvitation(password).token : parseClaimToken(password);
}

function factsOf(request: FastifyRequest): Facts | undefined {
  const header = request.headers["hps-facts"];
  if (Array.isArray(header)) throw new HpsError("invalid", "more than one HPS-Facts header");
  return header === undefined ? undefined : parseFactsHeader(header);
}

function bodyOf({ body }: FastifyRequest): Buffer {
  if (body instanceof Buffer) return body;
  throw new HpsError("invalid", "no certificate request was sent", { hint: `send PKCS#10 as ${ENROL_TYPE}` });
}

function sendChain(reply: FastifyReply, chainPem: string): FastifyReply {
  return send(reply, readCertificatesPem(chainPem, "the chain"), "; smime-type=certs-only");
}

function send(reply: FastifyReply, certificates: readonly X509Certificate[], parameter: string): FastifyReply {
  return reply
    .removeHeader("www-authenticate")
    .header("cache-control", "no-store")
    .type(`application/pkcs7-mime${parameter}`)
    .send(certificatesBody(certificates));
}
