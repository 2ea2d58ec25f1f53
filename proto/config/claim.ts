import { z } from "zod";
import { parseClaimToken } from "../values/claim-token.ts";
import { parseDomainName } from "../values/domain-name.ts";
import { parseEndpoint } from "../values/endpoint.ts";
import { HpsError } from "../values/hps-error.ts";
import { parseHttpsUrl } from "../values/https-url.ts";
import { parseShape, textOf } from "../values/parsed.ts";
import { formatTime, parseTime } from "../values/time.ts";
import { parseUuid } from "../values/uuid.ts";

const CLAIM_VERSION = 1;
const LIMIT = 32_768;
const PEM = /^(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n){1,200}-----END CERTIFICATE-----\n){1,4}$/;

/** Keys it does not know are dropped: a newer server may say more to an older agent. */
const claimSchema = z.object({
  token: textOf(parseClaimToken),
  installation: textOf(parseUuid),
  host: textOf(parseUuid),
  /** hpsd's gRPC and HTTPS addresses. */
  grpc: textOf(parseEndpoint),
  https: textOf(parseHttpsUrl),
  trustDomain: textOf(parseDomainName),
  /** PEM, lines ended by LF; more than one while roots change. */
  rootCertificate: z.string().max(LIMIT).regex(PEM, "is not PEM certificates"),
  /** UTC milliseconds here, RFC 3339 in the text: the agent's clock may be wrong. */
  serverTime: textOf(parseTime),
});

/** What lets one agent enrol for one installation. A secret: it goes into no log, event, URL or command line. */
export type Claim = z.output<typeof claimSchema>;

/** The claim as the JSON text of its file. */
export function formatClaim(claim: Claim): string {
  return `${JSON.stringify({ version: CLAIM_VERSION, ...claim, serverTime: formatTime(claim.serverTime) })}\n`;
}

/** Reads `formatClaim`'s text. No error holds a piece of it, nor has a cause that does: JSON.parse quotes what it read. */
export function parseClaim(text: string): Claim {
  if (text.length > LIMIT) throw new HpsError("invalid", `the claim is longer than ${LIMIT} characters`);
  const value = jsonOf(text);
  const { version } = parseShape(z.object({ version: z.int() }), value, "the claim");
  if (version !== CLAIM_VERSION) {
    throw new HpsError("invalid", `the claim has version ${version}; this agent reads ${CLAIM_VERSION}`, {
      hint: "boot the installer that belongs to the server",
    });
  }
  const result = claimSchema.safeParse(value);
  if (result.success) return result.data;
  const fields = [...new Set(result.error.issues.map((issue) => String(issue.path[0] ?? "")))];
  throw new HpsError("invalid", `the claim is wrong or incomplete: ${fields.join(", ")}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HpsError("invalid", "the claim is not JSON");
  }
}
