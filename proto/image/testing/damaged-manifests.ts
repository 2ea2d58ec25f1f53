import { expect } from "vitest";
import { HpsError } from "../../values/hps-error.ts";
import { encodeManifest, parseManifest } from "../manifest.ts";

/** With one bit of it turned. */
export function turned(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}

/** That it is no manifest, or in the one form that a manifest has. */
export function expectRefusedOrSame(bytes: Buffer): void {
  let parsed: ReturnType<typeof parseManifest>;
  try {
    parsed = parseManifest(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(HpsError);
    return;
  }
  expect(encodeManifest(parsed).equals(bytes)).toBe(true);
}
