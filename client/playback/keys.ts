/** What a key asks a player for. */
export type PlayKey = "pause" | "quit" | "step" | "back" | "on" | "faster" | "slower";

const KEYS: readonly (readonly [string, PlayKey])[] = [
  ["\x1b[D", "back"],
  ["\x1bOD", "back"],
  ["\x1b[C", "on"],
  ["\x1bOC", "on"],
  ["\x1b[A", "faster"],
  ["\x1bOA", "faster"],
  ["\x1b[B", "slower"],
  ["\x1bOB", "slower"],
  [" ", "pause"],
  [".", "step"],
  ["q", "quit"],
  ["Q", "quit"],
  ["\x03", "quit"],
  ["\x04", "quit"],
  ["+", "faster"],
  ["-", "slower"],
];

/** The keys in what a terminal sent; what is none is passed over. */
export function playKeys(text: string): PlayKey[] {
  const found: PlayKey[] = [];
  for (let at = 0; at < text.length; ) {
    const key = KEYS.find(([spelling]) => text.startsWith(spelling, at));
    if (key !== undefined) found.push(key[1]);
    at += key?.[0].length ?? 1;
  }
  return found;
}
