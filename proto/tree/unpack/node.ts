import type { ByteString } from "../byte-string.ts";
import { makeDevice, makeNode } from "../native/paths.ts";

const TYPES = { character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

export type NodeType = keyof typeof TYPES;

/** A device or fifo that root alone may use, until it gets its metadata. */
export function makeNodeOf(
  place: { readonly at: number; readonly name: ByteString },
  type: NodeType,
  { major, minor }: { readonly major: number; readonly minor: number },
): void {
  const device = type === "fifo" ? 0n : makeDevice(major, minor);
  makeNode(place.at, place.name, TYPES[type] | 0o600, device);
}
