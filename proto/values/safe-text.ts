import { isUtf8 } from "node:buffer";

/** Controls (C0, DEL, C1), lone surrogates, bidirectional marks and overrides, line and paragraph separators. */
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

export interface SafeTextOptions {
  /** Leave newline and tab as they are: for the lines of a log, never for a table cell or a message. */
  readonly keepLayout?: boolean;
}

/** `text` made safe for a terminal: what could move the cursor, hide or reorder text is written as `\x1b` or `\u202e`; all else is unchanged. */
export function safeText(text: string, options: SafeTextOptions = {}): string {
  const keepLayout = options.keepLayout === true;
  return text.replace(UNSAFE, (found) => (keepLayout && (found === "\n" || found === "\t") ? found : escapeOf(found)));
}

/** `safeText` for bytes that should be UTF-8: a byte that is not becomes `\xff`. */
export function safeBytes(bytes: Uint8Array, options: SafeTextOptions = {}): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return safeText(buffer.toString("utf8"), options);
  return buffer
    .toString("latin1")
    .replace(UTF8_OR_BYTE, (found, valid: string | undefined) =>
      valid === undefined ? escapeOf(found) : safeText(Buffer.from(valid, "latin1").toString("utf8"), options),
    );
}

/** `text` for the middle of a message: safe, in double quotes, cut after `limit` characters. */
export function quote(text: string, limit = 64): string {
  const characters = [...text.slice(0, 2 * limit + 2)];
  const cut = characters.length > limit;
  const shown = (cut ? characters.slice(0, limit) : characters).join("").replace(/["\\]/g, "\\$&");
  return `"${safeText(shown)}${cut ? "…" : ""}"`;
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Over bytes read as Latin-1: a run of well-formed UTF-8 (RFC 3629, section 4), else one byte. Runs are cut to keep the matcher's stack small. */
const UTF8_OR_BYTE = new RegExp(
  `((?:${[
    "[^\\x80-\\xff]",
    "[\\xc2-\\xdf][\\x80-\\xbf]",
    "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
    "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
    "\\xed[\\x80-\\x9f][\\x80-\\xbf]",
    "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
    "[\\xf1-\\xf3][\\x80-\\xbf]{3}",
    "\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
  ].join("|")}){1,256})|[^]`,
  "g",
);
