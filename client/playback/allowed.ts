/** The sequences that may be played: they draw, and make a terminal neither answer nor keep anything. */

export interface Sequence {
  /** ESC [ …; else ESC …. */
  readonly isControl: boolean;
  /** What stands between that and the final: prefix, parameters, intermediates. */
  readonly collected: string;
  readonly final: string;
}

/** Bell, backspace, tab, line feeds, carriage return, and the two that choose a character set. Not ENQ: it is answered. */
const CONTROLS: ReadonlySet<number> = new Set([0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f]);

/** Save and restore the cursor, line feeds and their reverse, a tab stop. */
const ESCAPES = "78DEMH";
/** Character sets: US, UK, line drawing. */
const CHARACTER_SETS = "AB0";
/** A full reset may resize the window: as much of it as shows. */
const RESET = "\x1b[!p\x1b[2J\x1b[H";

/** Insert, erase and repeat characters, move the cursor, insert and delete lines, scroll, tabs: what only numbers refine. */
const DRAWING = "@ABCDEFGHILMPSTXZ`abdefgr";
/** With at most so many numbers: of scrolling down, five would be mouse tracking. */
const MOST_NUMBERS: Readonly<Record<string, number>> = { H: 2, f: 2, r: 2 };
const MAX_NUMBER = 9999;

/**
 * Reverse video, origin, wrap, a visible cursor, the other screen with and without its cursor.
 * Not those that make a terminal report (mouse, focus, paste, colours), change its keys, its size or hold its display.
 */
const PRIVATE_MODES: ReadonlySet<number> = new Set([5, 6, 7, 25, 47, 1047, 1048, 1049]);
/** Inserting instead of overwriting. Not 2, which locks the keyboard. */
const MODES: ReadonlySet<number> = new Set([4]);

export function safeControl(code: number): string {
  return CONTROLS.has(code) ? String.fromCharCode(code) : "";
}

/** The sequence as it may be written; empty when it may not. */
export function safeSequence(sequence: Sequence): string {
  return sequence.isControl ? safeControlSequence(sequence) : safeEscape(sequence);
}

function safeEscape({ collected, final }: Sequence): string {
  if (collected === "" && final === "c") return RESET;
  const isAllowed =
    (collected === "" && ESCAPES.includes(final)) ||
    ((collected === "(" || collected === ")") && CHARACTER_SETS.includes(final)) ||
    (collected === "#" && final === "8");
  return isAllowed ? `\x1b${collected}${final}` : "";
}

function safeControlSequence(sequence: Sequence): string {
  const { collected, final } = sequence;
  if (final === "m") return /^[\d;:]*$/.test(collected) ? `\x1b[${collected}m` : "";
  if (final === "p") return collected === "!" ? "\x1b[!p" : "";
  if (final === "q") return /^[0-6]? $/.test(collected) ? `\x1b[${collected}q` : "";
  if (final === "s" || final === "u") return collected === "" ? `\x1b[${final}` : "";
  if (final === "h" || final === "l") return safeModes(sequence);
  if (final === "J" || final === "K") return safeErase(sequence);
  return DRAWING.includes(final) ? drawing(collected, final) : "";
}

/** Of the screen and of lines. Not what has scrolled away: that is the viewer's own. */
function safeErase({ collected, final }: Sequence): string {
  return /^\??[012]?$/.test(collected) ? `\x1b[${collected}${final}` : "";
}

function safeModes({ collected, final }: Sequence): string {
  const [, mark = "", numbers = ""] = /^(\??)([\d;]+)$/.exec(collected) ?? [];
  const allowed = mark === "?" ? PRIVATE_MODES : MODES;
  const modes = numbers
    .split(";")
    .map(Number)
    .filter((mode) => allowed.has(mode));
  return modes.length > 0 ? `\x1b[${mark}${modes.join(";")}${final}` : "";
}

function drawing(collected: string, final: string): string {
  if (!/^[\d;]*$/.test(collected)) return "";
  const parts = collected.split(";");
  if (parts.length > (MOST_NUMBERS[final] ?? 1)) return "";
  const numbers = parts.map((part) => (part === "" ? "" : String(Math.min(Number(part), MAX_NUMBER))));
  return `\x1b[${numbers.join(";")}${final}`;
}
