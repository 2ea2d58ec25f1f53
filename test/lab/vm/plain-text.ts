/**
 * What a terminal's bytes say, without what moves the cursor or colours: for searching. Takes chunks as they come; what is cut in
 * the middle is held back until its rest is there. Lines end with `\n` alone.
 */
export class PlainText {
  readonly #decoder = new TextDecoder();
  #held = "";

  push(chunk: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(chunk, { stream: true });
    const cut = unfinished(text);
    this.#held = text.slice(cut);
    return text.slice(0, cut).replaceAll(SEQUENCE, "").replaceAll(CONTROL, "");
  }
}

const ESC = "\u001b";
/** CSI, OSC, and all the others: any intermediates, one final. */
const SEQUENCE = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|\\][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)|[ -/]+[0-~]|[0-Z\\\\^-~])`,
  "g",
);
const CONTROL = /(?![\t\n])\p{Cc}/gu;
const LONGEST = 256;

/** Where a sequence begins that has no end yet; the length of the text when there is none. */
function unfinished(text: string): number {
  const at = text.lastIndexOf(ESC);
  if (at === -1 || text.length - at > LONGEST) return text.length;
  const rest = text.slice(at);
  return rest.replace(SEQUENCE, "").startsWith(ESC) ? at : text.length;
}
