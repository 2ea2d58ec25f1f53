import { safeText } from "../../proto/values/safe-text.ts";
import { rawMode, windowSize } from "../output/raw-terminal.ts";
import { type Terminal, write } from "../output/terminal.ts";
import { fitText } from "../output/text-width.ts";
import { ScreenModes } from "./screen-modes.ts";

/**
 * The terminal while a session has it: raw keys in, the session's output out, lines of hpsctl's own between. Disposed of, or at
 * the end of the process however it ends, the terminal is as it was.
 */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  readonly #modes = new ScreenModes();
  readonly #raw: Disposable;
  readonly #atExit: Disposable;
  #restored = false;

  private constructor(terminal: Terminal, raw: Disposable) {
    this.#terminal = terminal;
    this.#raw = raw;
    this.#atExit = terminal.atExit(() => this.#restore());
  }

  static async take(terminal: Terminal): Promise<Screen> {
    return new Screen(terminal, await rawMode(terminal));
  }

  /** The program has the whole screen; what is written over it stays until it draws again. */
  get isFullScreen(): boolean {
    return this.#modes.isFullScreen;
  }

  /** Resolves when it is taken. */
  async show(bytes: Uint8Array): Promise<void> {
    this.#modes.feed(bytes);
    await write(this.#terminal.stdout, bytes);
  }

  /** A line `hpsctl: …`: on a line of its own, or over the last rows of a program that has the whole screen. */
  async say(text: string): Promise<void> {
    const line = `hpsctl: ${safeText(text)}`;
    await write(this.#terminal.stdout, this.#modes.isFullScreen ? this.#overLastRows(line) : this.#onItsOwn(line));
  }

  /** The last line of hpsctl's own: it stays when the program's screen has gone. */
  async sayLast(text: string): Promise<void> {
    await write(this.#terminal.stdout, this.#modes.undo());
    this.#modes.forget();
    await this.say(text);
  }

  [Symbol.dispose](): void {
    this.#atExit[Symbol.dispose]();
    this.#restore();
  }

  #onItsOwn(line: string): string {
    const before = this.#modes.lineBegins ? "\r" : "\r\n";
    this.#modes.feed(NEWLINE);
    return `${before}\x1b[K${line}\r\n`;
  }

  /** Cursor and colours are kept and put back. */
  #overLastRows(line: string): string {
    const { rows, columns } = windowSize(this.#terminal);
    const pieces = wrapped(line, columns - 1).slice(0, Math.max(1, rows - 1));
    const drawn = pieces.map((piece, at) => `\x1b[${rows - pieces.length + 1 + at};1H\x1b[0;7m\x1b[2K${piece}`);
    return `\x1b7${drawn.join("")}\x1b[0m\x1b8`;
  }

  /** Written at once: a terminal's stream does not wait. */
  #restore(): void {
    if (this.#restored) return;
    this.#restored = true;
    const { stdout } = this.#terminal;
    const undone = this.#modes.undo() + (this.#modes.lineBegins ? "" : "\r\n");
    if (undone !== "" && stdout.writable) stdout.write(undone, () => undefined);
    this.#raw[Symbol.dispose]();
  }
}

function wrapped(line: string, width: number): string[] {
  const pieces: string[] = [];
  for (let left = line; left !== ""; ) {
    const piece = fitText(left, Math.max(width, 1));
    // A piece that is cut ends in a mark of one character.
    const taken = piece === left ? left.length : Math.max(piece.length - 1, 1);
    pieces.push(left.slice(0, taken));
    left = left.slice(taken);
  }
  return pieces;
}

const NEWLINE = Buffer.from("\n");
