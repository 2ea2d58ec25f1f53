import { HpsError } from "../../proto/values/hps-error.ts";

// iPXE has no quoting: settings expand anywhere, `&&`, `||` and `;` join commands, `#` begins a comment, a line feed the next command.
// What is not here cannot be written, so nothing needs escaping.
const SHOWN = /[^A-Za-z0-9 ._:/@,+=()-]/gu;
const WORD = /^[A-Za-z0-9._:/@,+=?%-]+$/;
const SHOWN_LIMIT = 200;

/** Text from our store for the eyes of who stands at the machine: what iPXE could take for more than text becomes `?`. At most 200 characters. */
export function ipxeText(value: string): string {
  const shown = value.slice(0, SHOWN_LIMIT).replaceAll(SHOWN, "?").replaceAll(/ +/g, " ").trim();
  return shown === "" ? "-" : shown;
}

/** A word that must arrive as it is (a URL, a kernel argument): one that iPXE would read otherwise is refused. */
export function ipxeWord(value: string): string {
  if (!WORD.test(value)) {
    throw new HpsError("invalid", `iPXE cannot be told ${JSON.stringify(value.slice(0, 64))}`, {
      hint: "letters, digits and ._:/@,+=?%- only",
    });
  }
  return value;
}
