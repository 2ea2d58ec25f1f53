import { decodeBase64url } from "./base64url.ts";
import { type ClaimToken, parseClaimToken } from "./claim-token.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { HpsError } from "./hps-error.ts";

/** What `hpsctl login` is given: a one-time secret, and which root certificate the server must prove itself by. */
export interface Invitation {
  /** 32 random bytes as base64url. Never printed, logged or stored in clear by hpsd after it was shown once. */
  readonly token: ClaimToken;
  /** Of the root certificate's DER. */
  readonly rootDigest: Digest;
}

const VERSION = "hps1";

/** `hps1.<token>.<digest as base64url>`: one word without anything a shell or a URL would change, 92 characters. */
export function formatInvitation({ token, rootDigest }: Invitation): string {
  return `${VERSION}.${token}.${Buffer.from(rootDigest.slice("sha256:".length), "hex").toString("base64url")}`;
}

/** Reads what `formatInvitation` wrote. The error does not repeat the text. */
export function parseInvitation(text: string): Invitation {
  const [version, token = "", digest = "", ...more] = text.split(".");
  if (version !== VERSION || digest.length !== 43 || more.length > 0) {
    throw new HpsError("invalid", "this is not an invitation", {
      hint: "copy all of what hpsctl operator invite printed",
    });
  }
  const bytes = decodeBase64url(digest, "the invitation's second half");
  return { token: parseClaimToken(token), rootDigest: parseDigest(`sha256:${bytes.toString("hex")}`) };
}
