/** The content of a pack's frames: objects gathered, compressed, and taken apart again. */
import { hash } from "node:crypto";
import { damagedImage } from "./damage.ts";
import { LARGEST_OBJECT } from "./limits.ts";
import type { ImageObject } from "./manifest-entry.ts";
import type { PackFrame } from "./pack.ts";
import { compressed, frameContent } from "./zstd-frame-content.ts";

/** Whole objects that become one frame. */
export interface RawFrame {
  readonly objects: readonly ImageObject[];
  /** The objects' content, one after the other. */
  readonly raw: Buffer;
}

/** Gathers objects, in their order, to frames as large as they may be. */
export class FrameBuilder {
  readonly #memory: () => Buffer;
  #objects: ImageObject[] = [];
  #content: Buffer = NOTHING;
  #filled = 0;

  /** `memory` gives as much as the largest frame takes, for one frame each time. */
  constructor(memory: () => Buffer = newMemory) {
    this.#memory = memory;
  }

  /** Adds an object, whose content is copied; gives the frame that was full without it. */
  add(object: ImageObject, content: Uint8Array): RawFrame | undefined {
    if (content.length !== object.length || object.length < 1 || object.length > LARGEST_OBJECT) {
      throw new RangeError(`an object of ${object.length} bytes with ${content.length} bytes of content`);
    }
    const full = this.#filled + content.length > LARGEST_OBJECT ? this.end() : undefined;
    if (this.#filled === 0) this.#content = this.#memory();
    this.#content.set(content, this.#filled);
    this.#filled += content.length;
    this.#objects.push(object);
    return full;
  }

  /** The last frame; undefined when nothing was added since the one before. Frames that must not share go on after it. */
  end(): RawFrame | undefined {
    if (this.#filled === 0) return undefined;
    const frame = { objects: this.#objects, raw: this.#content.subarray(0, this.#filled) };
    this.#objects = [];
    this.#content = NOTHING;
    this.#filled = 0;
    return frame;
  }
}

const NOTHING = Buffer.alloc(0);

function newMemory(): Buffer {
  return Buffer.allocUnsafeSlow(LARGEST_OBJECT);
}

/** The bytes of a frame as they lie in a pack, on a thread of zlib's own. */
export function compressFrame(raw: Uint8Array, level: number): Promise<Buffer> {
  return compressed(raw, level);
}

/**
 * The objects of a frame, in order, each with the bytes that its digest names: parts of one memory. `invalid`, naming frame
 * and object, when one has others, or anything is missing, left over or does not decode.
 */
export function openFrame(bytes: Uint8Array, frame: Pick<PackFrame, "offset" | "objects" | "rawBytes">): Buffer[] {
  const refuse = (why: string, cause?: unknown) => damagedImage("pack", frame.offset, `its frame there: ${why}`, cause);
  const content = frameContent(bytes, frame.rawBytes, refuse);
  let at = 0;
  return frame.objects.map(({ digest, length }, index) => {
    const object = content.subarray(at, at + length);
    at += length;
    const found = hash("sha256", object, "buffer");
    if (object.length === length && found.equals(digest)) return object;
    throw refuse(`object ${index} has the SHA-256 ${found.toString("hex")}, not ${digest.toString("hex")}`);
  });
}
