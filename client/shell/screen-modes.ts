/**
 * What a program has switched on in the terminal and not off again, learned from its output: so that a session which is cut
 * off can be followed by exactly what undoes it, and one that ended well by nothing.
 */

/** Private modes of DEC and xterm that a shell's user would not want left, with what a terminal begins with. */
const DEFAULTS: ReadonlyMap<number, boolean> = new Map([
  [1, false], // application cursor keys
  [5, false], // reverse video
  [6, false], // origin
  [7, true], // wrap at the margin
  [9, false], // mouse, of X10
  [25, true], // the cursor is shown
  [47, false], // the other screen, …
  [66, false], // application keypad
  [1000, false], // mouse: presses, …
  [1001, false],
  [1002, false], // … drags, …
  [1003, false], // … all of it
  [1004, false], // focus
  [1005, false], // how mouse reports are written
  [1006, false],
  [1015, false],
  [1016, false],
  [1047, false], // … also the other screen
  [1049, false],
  [2004, false], // bracketed paste
  [2026, false], // nothing is drawn meanwhile
  [2031, false], // colour scheme reports
  [2048, false], // window size reports
]);

const OTHER_SCREENS = [47, 1047, 1049];

const ESCAPE = 0x1b;
const LINE_FEED = 0x0a;
/** No sequence that matters is longer. */
const LONGEST = 64;
/** After the escape: CSI with its parameters, or one or two letters. */
const SEQUENCE = /^(?:\[([<=>?]?)([\d;:]*)([ -/]*)([@-~])|([ -/]*)([0-Z\\^-~]))/;
/** A sequence that is not complete yet. */
const BEGUN = /^(?:\[[<=>?]?[\d;:]*[ -/]*|[ -/]*)$/;

export class ScreenModes {
  readonly #changed = new Map<number, boolean>();
  #keypad = false;
  #modifiedKeys = false;
  /** Entries of the kitty protocol's stack, per screen. */
  #keyboards = 0;
  #cursorShape = false;
  #region = false;
  #drawing = false;
  #painted = false;
  #begun = "";
  #lineBegins = true;

  /** The program's output as it comes, divided anywhere. */
  feed(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#lineBegins = bytes.at(-1) === LINE_FEED;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = this.#begun === "" ? buffer.indexOf(ESCAPE) : this.#finish(buffer);
    while (at !== -1) {
      const text = buffer.toString("latin1", at, at + LONGEST);
      const end = this.#sequence(text);
      if (end === 0 && at + text.length === buffer.length && BEGUN.test(text.slice(1))) {
        this.#begun = text;
        return;
      }
      at = buffer.indexOf(ESCAPE, at + Math.max(end, 1));
    }
  }

  /** The program has the whole screen: a line printed now would stand in the middle of its picture. */
  get isFullScreen(): boolean {
    return OTHER_SCREENS.some((mode) => this.#changed.has(mode));
  }

  /** The last byte was a newline, or there was none. */
  get lineBegins(): boolean {
    return this.#lineBegins;
  }

  /** What brings the terminal back; empty when nothing is left on. */
  undo(): string {
    const parts: string[] = [];
    if (this.#keyboards > 0) parts.push(`\x1b[<${this.#keyboards}u`);
    if (this.#modifiedKeys) parts.push("\x1b[>4m");
    if (this.#keypad) parts.push("\x1b>");
    // It moves the cursor, which is put back.
    if (this.#region) parts.push("\x1b7\x1b[r\x1b8");
    for (const [mode, on] of this.#changed) parts.push(`\x1b[?${mode}${on ? "l" : "h"}`);
    if (this.#cursorShape) parts.push("\x1b[0 q");
    if (this.#drawing) parts.push("\x1b(B\x0f");
    if (this.#painted) parts.push("\x1b[0m");
    return parts.join("");
  }

  /** All was undone. */
  forget(): void {
    this.#reset();
  }

  /** Where to look for the next sequence after the one that began in an earlier piece; -1: nowhere. */
  #finish(buffer: Buffer): number {
    const before = this.#begun;
    this.#begun = "";
    const text = before + buffer.toString("latin1", 0, LONGEST);
    const end = this.#sequence(text.slice(0, LONGEST));
    if (end === 0 && text.length < LONGEST && BEGUN.test(text.slice(1))) {
      this.#begun = text;
      return -1;
    }
    return buffer.indexOf(ESCAPE, Math.max(0, end - before.length));
  }

  /** Takes the sequence at the beginning of `text`; gives its length, 0 when there is none. */
  #sequence(text: string): number {
    const found = SEQUENCE.exec(text.slice(1));
    if (found === null) return 0;
    const [whole, mark = "", parameters = "", between = "", final, middle = "", letter] = found;
    if (final === undefined) this.#escape(middle + (letter ?? ""));
    else this.#control(mark + between + final, parameters);
    return whole.length + 1;
  }

  #escape(letters: string): void {
    if (letters === "=") this.#keypad = true;
    else if (letters === ">") this.#keypad = false;
    else if (letters === "c") this.#reset();
    else if (letters === "(0") this.#drawing = true;
    else if (letters === "(B") this.#drawing = false;
  }

  #control(kind: string, parameters: string): void {
    const numbers = parameters.split(/[;:]/).map(Number);
    const [first = 0] = numbers;
    if (kind === "?h" || kind === "?l") for (const mode of numbers) this.#set(mode, kind === "?h");
    else if (kind === "m") this.#painted = numbers.at(-1) !== 0;
    else if (kind === ">m") this.#modifiedKeys = first === 4 && (numbers[1] ?? 0) > 0;
    else if (kind === ">u") this.#keyboards += 1;
    else if (kind === "<u") this.#keyboards = Math.max(0, this.#keyboards - Math.max(1, first));
    else if (kind === " q") this.#cursorShape = first !== 0;
    else if (kind === "r") this.#region = parameters !== "";
    else if (kind === "!p") this.#reset();
  }

  #set(mode: number, on: boolean): void {
    const usual = DEFAULTS.get(mode);
    if (usual === undefined) return;
    if (on === usual) this.#changed.delete(mode);
    else this.#changed.set(mode, on);
  }

  #reset(): void {
    this.#changed.clear();
    this.#keypad = false;
    this.#modifiedKeys = false;
    this.#keyboards = 0;
    this.#cursorShape = false;
    this.#region = false;
    this.#drawing = false;
    this.#painted = false;
  }
}
