import { HpsError } from "../../../proto/values/hps-error.ts";

// Control characters would end the line or be stripped; dnsmasq has escapes for two of them and HPS a use for none.
const CONTROL = /\p{Cc}/u;
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
