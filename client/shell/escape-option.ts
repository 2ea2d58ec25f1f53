import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

const TILDE = 0x7e;

/** `-e`: one character of ASCII, `^X` for a control character, `none`. Gives its byte; undefined for none. */
export function parseEscape(text: string | undefined): number | undefined {
  if (text === undefined) return TILDE;
  if (text === "none") return undefined;
  if (/^[!-~]$/.test(text)) return text.charCodeAt(0);
  // A newline would begin a line and an escape at once.
  if (/^\^[@-_a-z]$/.test(text) && !/^\^[jm]$/i.test(text)) return text.charCodeAt(1) & 0x1f;
  throw new HpsError("invalid", `not an escape character: ${quote(text)}`, {
    hint: "use one character as ~, a control character as ^], or none",
  });
}
