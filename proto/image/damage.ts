/** What readers of images say about bytes that are none. Each error names the layer and the place in it. */
import { HpsError } from "../values/hps-error.ts";

/** One kind of bytes that an image is made of. */
export type Layer =
  | "manifest"
  | "pack"
  | "pack's trailer"
  | "pack's index"
  | "delta"
  | "delta's trailer"
  | "delta's index"
  | "signature"
  | "key set";

/** Makes the error that says why some bytes are refused, and where they stand. */
export type Refuse = (why: string, cause?: unknown) => Error;

const DAMAGED = "fetch or import it anew: what its digest names has other bytes";

/** `invalid`: no writer makes such bytes. `at` is the place in the layer's own bytes, uncompressed. */
export function damagedImage(layer: Layer, at: number, why: string, cause?: unknown): HpsError {
  return new HpsError("invalid", `the ${layer} is damaged at byte ${at}: ${why}`, {
    hint: DAMAGED,
    details: { layer, at: String(at) },
    cause,
  });
}

/** `invalid`: the bytes of `layer`, as a whole or in `part` of it, are not those that were named. */
export function notThoseBytes(layer: Layer, why: string, cause?: unknown): HpsError {
  return new HpsError("invalid", `the ${layer} is damaged: ${why}`, { hint: DAMAGED, details: { layer }, cause });
}

/** `unimplemented`: a later form of the format. */
export function unknownVersion(layer: Layer, version: number): HpsError {
  return new HpsError("unimplemented", `the ${layer} is of version ${version} of its format; this program reads 1`, {
    hint: "update HPS on this machine, or make the image with this version",
    details: { layer },
  });
}
