/**
 * What a terminal answers by itself when a program asks it something: who it is, where the cursor stands, what a colour is. A
 * program is answered by one terminal; from another's such an answer is text that nobody typed.
 */
const REPLY = new RegExp(
  `^\\[(?:${[
    "[?>=][\\d;]*c", // device attributes
    "\\??\\d+(?:;\\d+)+R", // place of the cursor
    "\\??[\\d;]*n", // status
    "\\??[\\d;]*\\$y", // modes
    "[23];[\\d;]*x", // terminal parameters
    "\\?\\d*u", // keyboard protocol
    "\\d+(?:;\\d+)*t", // window
    "[IO]", // focus
  ].join("|")})`,
);
/** Colours and clipboard, names and capabilities, pictures: text up to an end of its own. */
const TEXT_REPLY = /^(?:\]\d{1,4};|P[\d>!]|_G)/;
/** What may become one of those. All three stand behind an escape. */
const BEGUN = /^(?:\[[?>=]?[\d;]{0,64}\$?|\]\d{0,4}|P|_)?$/;
const ESCAPE = "\x1b";
const BELL = "\x07";

/** Takes the keys out of what a terminal sends, however that is divided. */
export class TerminalKeys {
  #held = "";
  #inText = false;

  /** It holds back what may become an answer, or is in the middle of one: `settle` it when nothing follows. */
  get isOpen(): boolean {
    return this.#inText || this.#held !== "";
  }

  /** What of it, and of what was held, is typed. */
  take(bytes: Uint8Array): Uint8Array {
    if (!this.isOpen && !bytes.includes(0x1b)) return bytes;
    let rest = this.#held + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    let keys = "";
    this.#held = "";
    while (rest !== "" && this.#held === "") {
      if (this.#inText) {
        rest = this.#afterText(rest);
        continue;
      }
      const at = rest.indexOf(ESCAPE);
      if (at === -1) return bytesOf(keys + rest);
      keys += rest.slice(0, at);
      rest = rest.slice(at + 1);
      const begin = (REPLY.exec(rest) ?? TEXT_REPLY.exec(rest))?.[0];
      this.#inText = begin !== undefined && !begin.startsWith("[");
      if (begin !== undefined) rest = rest.slice(begin.length);
      else if (BEGUN.test(rest)) this.#held = ESCAPE + rest;
      else keys += ESCAPE;
    }
    return bytesOf(keys);
  }

  /** Nothing came for a time: what was held was typed, and a text that has no end is over. */
  settle(): Uint8Array {
    const held = this.#inText ? "" : this.#held;
    this.#held = "";
    this.#inText = false;
    return bytesOf(held);
  }

  /** What stands behind the end of a text: a bell, an escape and a backslash, or an escape that begins something else. */
  #afterText(text: string): string {
    const [bell, next] = [text.indexOf(BELL), text.indexOf(ESCAPE)];
    this.#inText = false;
    if (bell !== -1 && (next === -1 || bell < next)) return text.slice(bell + 1);
    if (next !== -1 && next < text.length - 1) return text.slice(text[next + 1] === "\\" ? next + 2 : next);
    this.#inText = true;
    this.#held = next === -1 ? "" : ESCAPE;
    return "";
  }
}

function bytesOf(latin1: string): Uint8Array {
  return Buffer.from(latin1, "latin1");
}
