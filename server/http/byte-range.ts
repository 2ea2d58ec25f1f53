/** What of a file is wanted: all of it, a part, or a part that it does not have. */
export type ByteRange =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly first: number; readonly last: number }
  | { readonly kind: "outside" };

export interface RangeHeaders {
  readonly range?: string | undefined;
  readonly "if-range"?: string | string[] | undefined;
}

const WHOLE: ByteRange = { kind: "whole" };

/**
 * RFC 9110 section 14.2: one range of bytes. Several ranges, other units, what cannot be read, and a range of another
 * version of the file are answered with all of it, as the RFC allows.
 */
export function byteRangeOf(headers: RangeHeaders, size: number, etag: string): ByteRange {
  const { range, "if-range": version } = headers;
  const [, from = "", to = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(range?.trim() ?? "") ?? [];
  if (from === "" && to === "") return WHOLE;
  if (version !== undefined && version !== etag) return WHOLE;
  if (from === "") return lastBytes(Number(to), size);
  const first = Number(from);
  const last = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== "" && Number(to) < first) return WHOLE;
  return first < size ? { kind: "part", first, last } : { kind: "outside" };
}

function lastBytes(count: number, size: number): ByteRange {
  if (count === 0 || size === 0) return { kind: "outside" };
  return { kind: "part", first: Math.max(0, size - count), last: size - 1 };
}
