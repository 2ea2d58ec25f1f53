import { safeControl, safeSequence } from "./allowed.ts";

type State = "ground" | "escape" | "sequence" | "text" | "textEscape";

/** A sequence with more than this is nobody's honest one. */
const MAX_SEQUENCE = 256;

const ESC = 0x1b;
const BEL = 0x07;
/** Each breaks off a sequence wherever it stands. */
const CANCEL = 0x18;
const SUBSTITUTE = 0x1a;
/** One character for what may be two: an escape and a letter. */
const C1_FIRST = 0x80;
const C1_LAST = 0x9f;
/** What follows these is text for the terminal itself, up to its end: DCS, SOS, OSC, PM, APC as ESC writes them. */
const TEXT_STARTS = "PX]^_";

/**
 * What of a recorded terminal's output may reach the terminal of who plays it: text, and sequences of an allow-list. Those
 * are written anew once they are whole, so that nothing of any other one is ever written, however the output is divided.
 * The parser is that of a VT500 (https://vt100.net/emu/dec_ansi_parser) as far as it decides where a sequence ends.
 */
export class SafeOutput {
  #state: State = "ground";
  #collected = "";
  #isControl = false;

  /** Takes the next piece of output; gives what of it, and of what came before, may be written now. */
  filter(output: string): string {
    let safe = "";
    for (const character of output) safe += this.#take(character, character.codePointAt(0) ?? 0);
    return safe;
  }

  #take(character: string, code: number): string {
    if (code === CANCEL || code === SUBSTITUTE) return this.#ground();
    if (code >= C1_FIRST && code <= C1_LAST) return this.#c1(code);
    if (this.#state === "text" || this.#state === "textEscape") return this.#inText(character, code);
    if (code === ESC) return this.#begin("escape");
    // Controls inside a sequence are done at once, and it goes on.
    if (code < 0x20) return safeControl(code);
    if (code === 0x7f) return "";
    if (this.#state === "ground") return character;
    return this.#state === "escape" ? this.#escape(character, code) : this.#sequence(character, code);
  }

  #ground(): string {
    this.#state = "ground";
    this.#collected = "";
    return "";
  }

  #begin(state: State): string {
    this.#state = state;
    this.#collected = "";
    this.#isControl = false;
    return "";
  }

  /** The same as an escape and the letter 0x40 below it. */
  #c1(code: number): string {
    this.#begin("escape");
    return this.#escape(String.fromCharCode(code - 0x40), code - 0x40);
  }

  /** After an escape: intermediates, then a final; or what begins something longer. */
  #escape(character: string, code: number): string {
    if (code >= 0x20 && code <= 0x2f) return this.#collect(character);
    if (this.#collected === "" && character === "[") {
      this.#begin("sequence");
      this.#isControl = true;
      return "";
    }
    if (this.#collected === "" && TEXT_STARTS.includes(character)) return this.#begin("text");
    return this.#finish(character, code);
  }

  /** After ESC [: parameters and intermediates, then a final. */
  #sequence(character: string, code: number): string {
    if (code >= 0x20 && code <= 0x3f) return this.#collect(character);
    return this.#finish(character, code);
  }

  #collect(character: string): string {
    // Too long to be right: it is still followed to its end, and is nothing then.
    if (this.#collected.length < MAX_SEQUENCE) this.#collected += character;
    return "";
  }

  #finish(final: string, code: number): string {
    const isControl = this.#isControl;
    const collected = this.#collected;
    this.#ground();
    const isWhole = code >= 0x30 && code <= 0x7e && collected.length < MAX_SEQUENCE;
    return isWhole ? safeSequence({ isControl, collected, final }) : "";
  }

  /** Ends with ESC \ or, as xterm has it, with BEL; what begins with another escape is a sequence of its own. */
  #inText(character: string, code: number): string {
    if (code === BEL) return this.#ground();
    if (code === ESC) return this.#begin("textEscape");
    if (this.#state === "text") return "";
    if (character === "\\") return this.#ground();
    if (code < 0x20) return this.#begin("text");
    this.#begin("escape");
    return this.#escape(character, code);
  }
}
