/**
 * What a terminal answers by itself when a program asks it something: who it is, where the cursor stands, what a colour is. The
 * program was answered by its owner's terminal; from another's such an answer is text that nobody typed.
 */
const REPLY = new RegExp(
  [
    "\\x1b\\[[?>=][\\d;]*c", // device attributes
    "\\x1b\\[\\??\\d+(?:;\\d+)+R", // place of the cursor
    "\\x1b\\[\\??[\\d;]*n", // status
    "\\x1b\\[\\??[\\d;]*\\$y", // modes
    "\\x1b\\[\\?\\d*u", // keyboard protocol
    "\\x1b\\[\\d+(?:;\\d+)*t", // window
    "\\x1b\\[[IO]", // focus
    "\\x1b[\\]P_][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)", // colours, names, capabilities
  ].join("|"),
  "g",
);

const ESCAPE = 0x1b;

/** Typed keys without what the terminal answered by itself. */
export function withoutReplies(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(ESCAPE)) return bytes;
  return Buffer.from(Buffer.from(bytes).toString("latin1").replace(REPLY, ""), "latin1");
}
