import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import type { Size } from "./messages.ts";
import { guardPaste } from "./paste.ts";

const LIGHT: ITheme = {
  background: "#fdfdfc",
  foreground: "#17262a",
  cursor: "#0b6b5c",
  cursorAccent: "#fdfdfc",
  selectionBackground: "#b9ded6",
  scrollbarSliderBackground: "#17262a33",
  black: "#17262a",
  red: "#a3221a",
  green: "#14713f",
  yellow: "#8a5300",
  blue: "#1f5bb5",
  magenta: "#8b2f8f",
  cyan: "#0b6b70",
  white: "#7d8d91",
  brightBlack: "#55686d",
  brightRed: "#c2372e",
  brightGreen: "#1d8a4f",
  brightYellow: "#a46a0a",
  brightBlue: "#2f72d6",
  brightMagenta: "#a544a8",
  brightCyan: "#148489",
  brightWhite: "#4a5a5e",
};

const DARK: ITheme = {
  background: "#0b1113",
  foreground: "#dfe9ea",
  cursor: "#6fdcc0",
  cursorAccent: "#0b1113",
  selectionBackground: "#2c4f52",
  scrollbarSliderBackground: "#dfe9ea33",
};

const FONT = 'ui-monospace, "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const SCROLLBACK = 5_000;
/** OSC numbers: 8 is a hyperlink, whose text hides where it leads; 52 reads and writes the clipboard. */
const REFUSED_OSC = [8, 52];

export interface ScreenEvents {
  readonly typed: (bytes: Uint8Array) => void;
  readonly resized: (size: Size) => void;
  readonly selected: (isSome: boolean) => void;
  /** The key to leave the terminal by. */
  readonly left: () => void;
}

/** The terminal on the page. What programs print may draw and nothing else: no links, no clipboard, no window, no title. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #isReadOnly = false;
  #followed: Size | undefined;

  constructor(place: HTMLElement, events: ScreenEvents) {
    this.#terminal = new Terminal({ fontFamily: FONT, fontSize: 14, scrollback: SCROLLBACK, theme: this.#theme });
    this.#refuseTricks();
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.open(place);
    this.#listen(events);
    guardPaste(place, this.#terminal, () => this.#isReadOnly);
    this.#dark.addEventListener("change", () => {
      this.#terminal.options.theme = this.#theme;
    });
    new ResizeObserver(() => this.#followed ?? this.#fit.fit()).observe(place);
  }

  get size(): Size {
    this.#fit.fit();
    return { rows: this.#terminal.rows, columns: this.#terminal.cols };
  }

  get selection(): string {
    return this.#terminal.getSelection();
  }

  /** Empty, for a session of its own. */
  reset(): void {
    this.#terminal.reset();
    this.follow(undefined);
    this.setReadOnly(false);
  }

  setReadOnly(isReadOnly: boolean): void {
    this.#isReadOnly = isReadOnly;
    this.#terminal.options.disableStdin = isReadOnly;
    this.#terminal.options.cursorInactiveStyle = isReadOnly ? "none" : "outline";
  }

  /** As large as the terminal of those who type, whatever this window is: what is drawn for one size is torn in another. */
  follow(size: Size | undefined): void {
    this.#followed = size;
    if (size === undefined) this.#fit.fit();
    else this.#terminal.resize(size.columns, size.rows);
  }

  setReader(isOn: boolean): void {
    this.#terminal.options.screenReaderMode = isOn;
  }

  write(bytes: Uint8Array, drawn: () => void): void {
    this.#terminal.write(bytes, drawn);
  }

  focus(): void {
    this.#terminal.focus();
  }

  get #theme(): ITheme {
    return this.#dark.matches ? DARK : LIGHT;
  }

  #refuseTricks(): void {
    const { parser } = this.#terminal;
    for (const code of REFUSED_OSC) parser.registerOscHandler(code, () => true);
    // Window operations: move, resize, iconify, and reports of titles and sizes that come back as typed.
    parser.registerCsiHandler({ final: "t" }, () => true);
  }

  #listen(events: ScreenEvents): void {
    const terminal = this.#terminal;
    const encoder = new TextEncoder();
    terminal.onData((text) => this.#isReadOnly || events.typed(encoder.encode(text)));
    // Old mouse reports: bytes, one a character.
    terminal.onBinary((text) => this.#isReadOnly || events.typed(Uint8Array.from(text, (one) => one.charCodeAt(0))));
    terminal.onResize(({ rows, cols }) => events.resized({ rows, columns: cols }));
    terminal.onSelectionChange(() => events.selected(terminal.hasSelection()));
    terminal.attachCustomKeyEventHandler((event) => {
      if (!event.ctrlKey || !event.shiftKey || event.type !== "keydown") return true;
      if (event.code === "KeyL") events.left();
      else if (event.code !== "KeyC" || !terminal.hasSelection()) return true;
      else void navigator.clipboard.writeText(terminal.getSelection());
      event.preventDefault();
      return false;
    });
  }
}
