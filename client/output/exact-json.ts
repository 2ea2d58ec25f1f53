import type { JsonValue } from "@bufbuild/protobuf";

/** Characters a terminal obeys or that reorder what is read, and that JSON.stringify leaves as they are. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** JSON that any parser reads back exactly, and that is safe to show: what a terminal would obey is written as `\u009b`. */
export function exactJson(value: JsonValue, indent = 2): string {
  return escapeUnsafe(JSON.stringify(value, undefined, indent));
}

/** For texts in which such characters stand inside double-quoted strings alone, as in JSON. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
