import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseTerminalType, type TerminalType } from "../../proto/values/terminal.ts";

/** Where ncurses looks, beside the user's own. */
const FOLDERS = ["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo"];
/** What nearly every terminal understands, the best first. */
const LIKE_XTERM = ["xterm-256color", "xterm", "linux", "vt100", "dumb"];
/** Terminals that are described with 256 colours too. */
const WITH_COLOURS = ["xterm", "screen", "tmux"];
/** What understands less than xterm. */
const PLAIN = ["vt100", "ansi", "dumb"];
const IS_PLAIN = /^(vt|ansi|dumb|cons25|sun)/;

/**
 * The wished terminal type, or the nearest that this machine describes: programs refuse to draw on one that they do not
 * know. Where nothing is described at all, no program asks.
 */
export function knownTerminal(wished: TerminalType, home: string, folders: readonly string[] = FOLDERS): TerminalType {
  const all = [join(home, ".terminfo"), ...folders].filter((folder) => existsSync(folder));
  if (all.length === 0) return wished;
  const found = [...similarTo(wished), "dumb"].find((name) => all.some((folder) => isDescribed(name, folder)));
  return parseTerminalType(found ?? "dumb");
}

/** `screen.xterm-256color`, `screen.xterm`, `screen-256color`, `screen`, then what is like any other. */
function similarTo(wished: string): readonly string[] {
  const own = [wished];
  for (let name = wished; /[.+-]/.test(name); own.push(name)) name = name.replace(/[.+-][^.+-]*$/, "");
  // Whoever has a kind of its own has colours.
  const family = own.at(-1) ?? wished;
  if (WITH_COLOURS.includes(family) && family !== wished) own.splice(-1, 0, `${family}-256color`);
  if (family === "tmux") own.push("screen-256color", "screen");
  return [...own, ...(IS_PLAIN.test(wished) ? PLAIN : LIKE_XTERM)];
}

/** By its first letter, or by that letter's code on file systems that know no case. */
function isDescribed(name: string, folder: string): boolean {
  const code = name.charCodeAt(0).toString(16);
  return existsSync(join(folder, name.slice(0, 1), name)) || existsSync(join(folder, code, name));
}
