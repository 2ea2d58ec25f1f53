import { HpsError } from "../../proto/values/hps-error.ts";

export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

const LONGEST = 1024;

/** Reads `Authorization: Basic …` (RFC 7617). `unauthenticated` for none, `invalid` for a malformed one; neither repeats it. */
export function readBasic(header: string | undefined): BasicCredentials {
  if (header === undefined) {
    throw new HpsError("unauthenticated", "enrolment needs a user and a token", {
      hint: "user claim with a claim's token, or user operator with an invitation",
    });
  }
  const [, encoded = ""] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header) ?? [];
  const text = Buffer.from(encoded, "base64").toString("latin1");
  const colon = text.indexOf(":");
  if (header.length > LONGEST || colon < 0) throw new HpsError("invalid", "the Authorization header is not Basic");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
