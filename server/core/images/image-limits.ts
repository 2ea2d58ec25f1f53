import { HpsError } from "../../../proto/values/hps-error.ts";
import { roundSize } from "../../../proto/values/size.ts";

/** In bytes. */
export interface ImageLimits {
  /** Of one archive, or of what one upload stores. */
  readonly imageSize: number;
  /** Of all that one library keeps. */
  readonly librarySize: number;
}

/** How much an image may store now, and the setting that says so. */
export interface ImageAllowance {
  readonly bytes: number;
  /** What is said when more comes. */
  readonly hint: string;
}

/** `kept`: what the library has already. */
export function allowanceOf(kept: number, limits: ImageLimits): ImageAllowance {
  const { imageSize, librarySize } = limits;
  const left = Math.max(librarySize - kept, 0);
  if (imageSize <= left) {
    return { bytes: imageSize, hint: `limits.imageSize of hpsd's configuration is ${roundSize(imageSize)}` };
  }
  const of = `limits.librarySize of hpsd's configuration is ${roundSize(librarySize)}`;
  return { bytes: left, hint: `${of}, and ${roundSize(left)} of it are left: delete images of this library` };
}

/** `what` is `image debian:12 has 2 GiB`. */
export function tooLarge(what: string, { hint }: Pick<ImageAllowance, "hint">): HpsError {
  return new HpsError("exhausted", `${what}, more than hpsd takes`, { hint });
}
