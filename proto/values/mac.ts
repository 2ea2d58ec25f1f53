import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** An EUI-48 in lower case with colons: `52:54:00:12:34:56`. */
export type Mac = Brand<string, "Mac">;

/** Reads the usual spellings (colons, dashes, Cisco dots, bare hex, any case). Refuses multicast and all-zero addresses: neither is a NIC's. */
export function parseMac(text: string): Mac {
  const hex = bareHex(text);
  if (hex === undefined) {
    throw new HpsError("invalid", `not a MAC address: ${quote(text)}`, {
      hint: "write it as 52:54:00:12:34:56",
    });
  }
  if (Number.parseInt(hex.slice(0, 2), 16) & 1)
    throw new HpsError("invalid", `${quote(text)} is a multicast address, not a NIC's`);
  if (/^0{12}$/.test(hex)) throw new HpsError("invalid", "the all-zero MAC address is not a NIC's");
  return branded<"Mac", string>((hex.match(/../g) ?? []).join(":"));
}

const SPELLINGS = [
  /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/,
  /^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/,
  /^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/,
  /^[0-9a-f]{12}$/,
];

function bareHex(text: string): string | undefined {
  const lower = text.toLowerCase();
  return SPELLINGS.some((spelling) => spelling.test(lower)) ? lower.replace(/[^0-9a-f]/g, "") : undefined;
}
