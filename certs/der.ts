import { HpsError } from "../proto/values/hps-error.ts";

/**
 * As much DER (ITU-T X.690) as our few fixed structures need: PKCS#10, certs-only PKCS#7, encrypted keys. It reads only
 * the one canonical form, so hostile bytes meet a small strict reader; and the agent and hpsctl need not load
 * @peculiar/x509, which takes 100 ms.
 */

/** One value: `content` without, `raw` with tag and length. Both are views of the input. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed. */
  context0: 0xa0,
} as const;

/** Reads the one value that `bytes` hold; anything before, after or not canonical is an `invalid` error. */
export function readDer(bytes: Buffer): DerValue {
  const value = readFirst(bytes);
  if (value.raw.length !== bytes.length) throw notDer("bytes after the end");
  return value;
}

/** The values inside a constructed value of tag `tag`. */
export function readInside(value: DerValue | undefined, tag: number): readonly DerValue[] {
  if (value?.tag !== tag || !(tag & 0x20)) throw notDer("unexpected structure");
  const values: DerValue[] = [];
  for (let rest = value.content; rest.length > 0; ) {
    const next = readFirst(rest);
    values.push(next);
    rest = rest.subarray(next.raw.length);
  }
  return values;
}

function readFirst(bytes: Buffer): DerValue {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw notDer("truncated");
  if ((tag & 0x1f) === 0x1f) throw notDer("tag too large");
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 3) throw notDer("unsupported length");
  if (bytes.length < 2 + lengthBytes) throw notDer("truncated");
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  if (lengthBytes > 0 && length < (lengthBytes === 1 ? 0x80 : 2 ** (8 * (lengthBytes - 1)))) {
    throw notDer("length not in shortest form");
  }
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) throw notDer("truncated");
  return { tag, content: bytes.subarray(start, start + length), raw: bytes.subarray(0, start + length) };
}

/** A value of tag `tag` around `parts`. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const hex = content.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

/** A non-negative INTEGER. */
export function derInteger(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const [first = 0] = bytes;
  return first < 0x80 ? der(TAG.integer, bytes) : der(TAG.integer, Buffer.from([0]), bytes);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(TAG.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
  return digits;
}

function notDer(why: string): HpsError {
  return new HpsError("invalid", `not DER: ${why}`);
}
