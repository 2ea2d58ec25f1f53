import { type Brand, branded } from "../values/brand.ts";
import { safeBytes } from "../values/safe-text.ts";

/**
 * Bytes as text, one character (0 to 255) a byte: names in a file tree need not be UTF-8. Compares and sorts as the bytes
 * do, and may be a key of a Map. Never shown as it is: see `showName`.
 */
export type ByteString = Brand<string, "ByteString">;

const LONGEST_SHOWN = 200;

export function byteString(bytes: Uint8Array): ByteString {
  return latin1(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"));
}

/** `text` whose characters are bytes already: pieces of byte strings, ASCII. */
export function latin1(text: string): ByteString {
  return branded<"ByteString", string>(text);
}

/** The bytes that `text`, as a person writes it, has in a file tree: UTF-8. */
export function byteStringOf(text: string): ByteString {
  return byteString(Buffer.from(text));
}

export function bytesOf(name: ByteString): Buffer {
  return Buffer.from(name, "latin1");
}

/** With the zero byte that ends a name for the kernel. */
export function zeroEnded(name: ByteString): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}

/** What stands between `separator`s, without empty pieces. */
export function splitBytes(name: ByteString, separator: string): ByteString[] {
  return name
    .split(separator)
    .filter((piece) => piece !== "")
    .map(latin1);
}

/** The parts of a path between slashes, without empty ones and ".". */
export function partsOf(path: ByteString): ByteString[] {
  return splitBytes(path, "/").filter((part) => part !== ".");
}

export function joinParts(parts: readonly ByteString[]): ByteString {
  return latin1(parts.join("/"));
}

/** The last part of a path, and the path of what holds it ("": the root). */
export function splitPath(path: ByteString): { readonly folder: ByteString; readonly name: ByteString } {
  const slash = path.lastIndexOf("/");
  return { folder: latin1(path.slice(0, Math.max(slash, 0))), name: latin1(path.slice(slash + 1)) };
}

/** For a message: in quotes, safe for a terminal, cut when long. */
export function showName(name: ByteString): string {
  const cut = name.length > LONGEST_SHOWN;
  return `"${safeBytes(bytesOf(name).subarray(0, LONGEST_SHOWN))}${cut ? "…" : ""}"`;
}
