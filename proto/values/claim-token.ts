import { randomBytes } from "node:crypto";
import { decodeBase64url } from "./base64url.ts";
import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";

/** The secret of a claim: 32 random bytes as base64url. Never printed, logged or stored in clear. */
export type ClaimToken = Brand<string, "ClaimToken">;

/** Reads the one spelling of 32 bytes. The error does not repeat the text. */
export function parseClaimToken(text: string): ClaimToken {
  if (text.length !== 43 || decodeBase64url(text, "the claim token").length !== 32) {
    throw new HpsError("invalid", "the claim token is not 32 bytes of base64url");
  }
  return branded<"ClaimToken", string>(text);
}

export function newClaimToken(): ClaimToken {
  return branded<"ClaimToken", string>(randomBytes(32).toString("base64url"));
}
