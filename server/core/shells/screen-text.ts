import serialize from "@xterm/addon-serialize/lib/addon-serialize.js";
import headless from "@xterm/headless";
import type { WindowSize } from "../../../proto/values/terminal.ts";

/** What a terminal was sent, and its sizes on the way. */
export interface ScreenJob {
  /** From anywhere in the output: what stands before the first whole line or sequence is left out. */
  readonly bytes: Uint8Array;
  /** The bytes begin at the session's beginning. */
  readonly isWhole: boolean;
  /** The first holds from the beginning; of the others `at` counts bytes. */
  readonly sizes: readonly (WindowSize & { readonly at: number })[];
}

/** More is not worth sending: a program that fills a screen so draws it anew. */
const MAX_SCREEN = 512 * 1024;
/** A count in a sequence above it is nothing that a program means; some would keep the emulator busy for minutes. */
const MAX_COUNT = 10_000;
/** Sequences whose first number says how often or how far. */
const COUNTED = [..."@ABCDEFGHILMPSTXZ`abdef"];
/** Modes that the serializer does not know of: how the mouse is told, and whether the cursor is seen. */
const MODES: ReadonlyMap<number, boolean> = new Map([
  [25, true],
  [1005, false],
  [1006, false],
  [1015, false],
  [1016, false],
]);

/** What brings a terminal of which nothing is known into a state of which all is. */
const RESET = [
  "\x1b[?1049l\x1b[!p\x1b[?7h\x1b[?25h\x1b[?1l\x1b>\x1b[4l\x1b[?6l\x1b[?45l",
  "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?2004l\x1b[?2026l",
  "\x1b[r\x1b(B\x0f\x1b[m\x1b[H\x1b[2J",
].join("");

const DEFAULT = { rows: 24, columns: 80, at: 0 };

type Emulator = InstanceType<typeof headless.Terminal>;

/**
 * What draws the screen as it is on a terminal of that size; `undefined` when it is too much. What the emulator itself would
 * answer to a program's queries goes nowhere.
 */
export async function screenText({ bytes, isWhole, sizes }: ScreenJob): Promise<string | undefined> {
  const [first = DEFAULT, ...later] = sizes;
  const emulator = new headless.Terminal({
    ...{ rows: first.rows, cols: first.columns },
    ...{ scrollback: 0, allowProposedApi: true, logLevel: "off" },
  });
  try {
    const states = watchStates(emulator);
    const serializer = new serialize.SerializeAddon();
    emulator.loadAddon(serializer);
    let from = isWhole ? 0 : safePoint(bytes);
    for (const { at, rows, columns } of later) {
      await write(emulator, bytes.subarray(from, Math.max(at, from)));
      from = Math.max(at, from);
      emulator.resize(columns, rows);
    }
    await write(emulator, bytes.subarray(from));
    const text = RESET + serializer.serialize({ scrollback: 0 }) + states.text();
    return text.length > MAX_SCREEN ? undefined : text;
  } finally {
    emulator.dispose();
  }
}

/** Where a piece from the middle of an output can be begun with: behind a line's end or, without one, at a sequence's start. */
export function safePoint(bytes: Uint8Array): number {
  const line = bytes.indexOf(0x0a);
  if (line >= 0) return line + 1;
  return Math.max(0, bytes.indexOf(0x1b));
}

async function write(emulator: Emulator, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return;
  await new Promise<void>((resolve) => emulator.write(bytes, resolve));
}

/** Keeps what the serializer does not know of, and keeps counts out that would never end. */
function watchStates(emulator: Emulator): { readonly text: () => string } {
  const { parser, buffer } = emulator;
  let modes = new Map(MODES);
  let region = "";
  const set = (on: boolean) => (params: readonly (number | number[])[]) => {
    for (const param of params) if (typeof param === "number" && modes.has(param)) modes.set(param, on);
    return false;
  };
  const reset = () => {
    modes = new Map(MODES);
    region = "";
    return false;
  };
  for (const final of COUNTED) parser.registerCsiHandler({ final }, (params) => params.some(isTooMuch));
  parser.registerCsiHandler({ prefix: "?", final: "h" }, set(true));
  parser.registerCsiHandler({ prefix: "?", final: "l" }, set(false));
  parser.registerEscHandler({ final: "c" }, reset);
  parser.registerCsiHandler({ intermediates: "!", final: "p" }, reset);
  parser.registerCsiHandler({ final: "r" }, ([top, bottom]) => {
    region = typeof top === "number" && typeof bottom === "number" && bottom > 0 ? `\x1b[${top};${bottom}r` : "";
    return isTooMuch(top ?? 0) || isTooMuch(bottom ?? 0);
  });
  const text = () => {
    const { cursorX, cursorY } = buffer.active;
    // Setting the region moves the cursor; where lines count from the region, its place cannot be said so.
    const placed = emulator.modes.originMode ? "" : `${region}\x1b[${cursorY + 1};${cursorX + 1}H`;
    const changed = [...modes].filter(([mode, on]) => MODES.get(mode) !== on);
    return placed + changed.map(([mode, on]) => `\x1b[?${mode}${on ? "h" : "l"}`).join("");
  };
  return { text };
}

function isTooMuch(param: number | number[]): boolean {
  return typeof param === "number" ? param > MAX_COUNT : param.some((part) => part > MAX_COUNT);
}
