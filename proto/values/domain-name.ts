import { type Brand, branded } from "./brand.ts";
import { isLabel } from "./host-name.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A DNS name of one or more labels, in lower case, without the final dot: `lab.example.org`. */
export type DomainName = Brand<string, "DomainName">;

/** Reads a name of at most 253 characters; one final dot is dropped. The last label must not be a number, so that no name looks like an address (RFC 3696, section 2). */
export function parseDomainName(text: string): DomainName {
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  if (bare.length > 253 || !bare.split(".").every(isLabel) || /(^|\.)(\d+|0x[0-9a-f]*)$/i.test(bare)) {
    throw new HpsError("invalid", `not a domain name: ${quote(text)}`, {
      hint: "write labels of letters, digits and inner hyphens with dots between: lab.example.org",
    });
  }
  return branded<"DomainName", string>(bare.toLowerCase());
}
