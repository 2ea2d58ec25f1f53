import { decodeBase64url } from "../../proto/values/base64url.ts";
import { type ClaimToken, parseClaimToken } from "../../proto/values/claim-token.ts";
import { type Digest, parseDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** What `hpsctl operator invite` hands out: a secret good for one login, and which root to believe. */
export interface Invitation {
  readonly secret: ClaimToken;
  readonly rootDigest: Digest;
}

/** Reads `hps1.<32 bytes of base64url>.<SHA-256 of the root certificate's DER, hex or base64url>`. The error does not repeat the text. */
export function parseInvitation(text: string): Invitation {
  const [version, secret = "", pin = "", ...more] = text.trim().split(".");
  if (version !== "hps1" || more.length > 0) {
    throw new HpsError("invalid", "this is no invitation token", {
      hint: "copy all of what `hpsctl operator invite` printed: it begins with hps1.",
    });
  }
  return { secret: parseClaimToken(secret), rootDigest: parseDigest(`sha256:${hexOf(pin)}`) };
}

function hexOf(pin: string): string {
  if (/^[0-9a-f]{64}$/i.test(pin)) return pin.toLowerCase();
  return decodeBase64url(pin, "the invitation's pin").toString("hex");
}
