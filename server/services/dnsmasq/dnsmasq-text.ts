import { HpsError } from "../../../proto/values/hps-error.ts";

// Control characters would end the line or be stripped; dnsmasq has escapes for two of them and HPS a use for none.
const CONTROL = /\p{Cc}/u;
/** Control characters that dnsmasq hides quoted commas, dots and the like behind lie in \p{Cc} too. */
const PLAIN = /^[A-Za-z0-9_./:@+=-]+$/;
const LIMIT = 900; // dnsmasq reads lines of at most 1025 bytes

/**
 * Any value on its way into dnsmasq.conf or a hosts or options file of DHCP: comes out as one word that dnsmasq reads back as exactly
 * this value. Inside its quotes `,` `#` and blanks are plain and only `\` and `"` are escaped. What no line can hold is refused.
 */
export function dnsmasqText(value: string): string {
  if (value === "" || CONTROL.test(value) || !value.isWellFormed() || Buffer.byteLength(value) > LIMIT) {
    throw new HpsError("invalid", `dnsmasq cannot be told ${JSON.stringify(value.slice(0, 64))}`, {
      hint: "it is empty, too long, or holds a control character",
    });
  }
  return PLAIN.test(value) ? value : `"${value.replaceAll(/[\\"]/g, "\\$&")}"`;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** One label of a DNS name (RFC 1123), lower case: the names of hosts. The hosts file has no quoting, so nothing else may enter it. */
export function dnsLabel(value: string): string {
  if (!LABEL.test(value)) throw new HpsError("invalid", `not a host name: ${JSON.stringify(value.slice(0, 64))}`);
  return value;
}

/** A domain of one or more labels, at most 253 characters. */
export function dnsDomain(value: string): string {
  if (value.length > 253) throw new HpsError("invalid", `too long a domain: ${JSON.stringify(value.slice(0, 64))}`);
  return value.split(".").map(dnsLabel).join(".");
}
