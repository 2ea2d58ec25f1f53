/** The order of a tree: a folder, then what it holds, before its next sibling; siblings by the bytes of their names. */
import { type ByteString, latin1 } from "../tree/byte-string.ts";
import { DEEPEST_PATH, LONGEST_NAME, LONGEST_PATH } from "./limits.ts";

export const ROOT = latin1("");

const SLASH = 47;

/** Below 0 when `one` comes first. A slash sorts before every byte that a name may hold. */
export function comparePaths(one: ByteString, other: ByteString): number {
  return compareAfter(one, other, sharedLength(one, other));
}

/** How many bytes both begin with. */
export function sharedLength(one: ByteString, other: ByteString): number {
  const most = Math.min(one.length, other.length);
  let at = 0;
  while (at < most && one.charCodeAt(at) === other.charCodeAt(at)) at += 1;
  return at;
}

/** `comparePaths` of two that differ from `at` on. */
export function compareAfter(one: ByteString, other: ByteString, at: number): number {
  if (at === one.length || at === other.length) return one.length - other.length;
  return rank(one, at) - rank(other, at);
}

/** Whether `path` leads from a tree's root to something in it, in the one way to write it. */
export function isPlainPath(path: ByteString): boolean {
  const names = path.split("/");
  const isPlain = names.every((name) => name !== "" && name !== "." && name !== ".." && name.length <= LONGEST_NAME);
  return isPlain && path.length <= LONGEST_PATH && names.length <= DEEPEST_PATH && !path.includes("\0");
}

function rank(path: ByteString, at: number): number {
  const byte = path.charCodeAt(at);
  return byte === SLASH ? 0 : byte;
}
