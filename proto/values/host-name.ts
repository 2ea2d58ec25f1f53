import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A host's own name: one RFC 1123 label in lower case, `web01`. */
export type HostName = Brand<string, "HostName">;

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * Labels RFC 1123 allows and Debian's hostname accepts, but that programs we feed read as something else:
 * inet_aton takes `1234` and `0x7f` for an address; in `dhcp-host=` dnsmasq takes `10m` for a lease time and two words for orders.
 */
const MISREAD = /^([0-9]+[wdhms]?|0x[0-9a-f]*|infinite|ignore|localhost)$/;

/** Reads one label of 1 to 63 letters, digits and inner hyphens, any case. Refuses what is read as a number, an address or a keyword. */
export function parseHostName(text: string): HostName {
  if (!isLabel(text)) {
    throw new HpsError("invalid", `not a host name: ${quote(text)}`, {
      hint: "use 1 to 63 letters, digits and inner hyphens, without the domain: web01",
    });
  }
  const name = text.toLowerCase();
  if (MISREAD.test(name)) {
    throw new HpsError(
      "invalid",
      `${quote(name)} would be read as a number, an address or a keyword, not as a host name`,
      {
        hint: `put a word before it: host-${name}`,
      },
    );
  }
  return branded<"HostName", string>(name);
}

/** Whether `text` is one RFC 1123 label, any case. Checked before lower-casing: some letters outside ASCII have ASCII lower cases. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}
