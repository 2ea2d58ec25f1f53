import { LARGEST_OBJECT } from "../../../proto/image/limits.ts";
import { mostCompressed } from "../../../proto/image/zstd-frame-content.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, parseImageName } from "../../../proto/values/image-ref.ts";
import { parseSha256 } from "../../../proto/values/sha256.ts";
import { foundOf, type ImageFound } from "./image-order.ts";

/** The largest compressed manifest: some three million files. It is held in memory while it comes. */
const LARGEST_STORED_MANIFEST = 192 * 1024 * 1024;
const LARGEST_FRAME = mostCompressed(LARGEST_OBJECT);

/** What an importer says of an image of packs. */
export interface UploadAnnouncement extends ImageFound {
  readonly name: string;
  readonly digest: string;
  readonly manifestBytes: bigint;
  readonly move: boolean;
  /** UTC milliseconds; null: never. */
  readonly expiresAt: number | null;
}

/** The same, checked. What the image is its manifest says. */
export interface UploadOrder extends ImageFound {
  readonly name: ImageRef;
  readonly digest: string;
  readonly manifestBytes: number;
  readonly move: boolean;
  readonly expiresAt: number | null;
}

/** `invalid` names the first thing wrong. */
export function parseUploadOrder(said: UploadAnnouncement): UploadOrder {
  const { manifestBytes, move, expiresAt } = said;
  const { name } = parseImageName(said.name);
  if (manifestBytes < 1n || manifestBytes > BigInt(LARGEST_STORED_MANIFEST)) {
    throw new HpsError("invalid", `a manifest of ${manifestBytes} bytes, compressed, is none that hpsd takes`, {
      hint: `at most ${LARGEST_STORED_MANIFEST} bytes are taken`,
    });
  }
  const digest = parseSha256(said.digest);
  return { name, digest, manifestBytes: Number(manifestBytes), move, expiresAt, ...foundOf(said) };
}

/** What follows the announcement, piece by piece. */
export type UploadPart =
  | { readonly kind: "manifest"; readonly data: Uint8Array }
  | { readonly kind: "frame"; readonly objects: number; readonly rawBytes: number; readonly bytes: number }
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "finish" };

/** A sender holds a thread: one that is slower than this, but for some minutes, is let go. */
const LEAST_BYTES_PER_SECOND = 16 * 1024;
const PATIENCE_MS = 3 * 60_000;

/** Reads what comes, in the order in which it must. */
export class UploadParts {
  readonly #parts: AsyncIterator<UploadPart>;
  readonly #now: () => number;
  #waitedMs = 0;
  #bytes = 0;

  /** `now` counts milliseconds. */
  constructor(parts: AsyncIterator<UploadPart>, now = () => performance.now()) {
    this.#parts = parts;
    this.#now = now;
  }

  /** The pieces of the manifest, exactly so many bytes. */
  async *manifest(bytes: number): AsyncGenerator<Uint8Array> {
    yield* this.#pieces("manifest", bytes, "the manifest");
  }

  /** The next frame with its bytes; undefined at the end. */
  async frame(): Promise<{ readonly objects: number; readonly rawBytes: number; readonly bytes: Buffer } | undefined> {
    const part = await this.#next();
    if (part.kind === "finish") return undefined;
    if (part.kind !== "frame") throw misplaced(part.kind, "a frame, or the end of the upload");
    if (part.bytes < 1 || part.bytes > LARGEST_FRAME) {
      throw new HpsError("invalid", `a frame of ${part.bytes} bytes: it may have 1 to ${LARGEST_FRAME}`);
    }
    // Memory of its own, which goes to the thread as it is.
    const bytes = Buffer.from(new ArrayBuffer(part.bytes));
    let at = 0;
    for await (const piece of this.#pieces("data", part.bytes, "a frame")) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return { objects: part.objects, rawBytes: part.rawBytes, bytes };
  }

  async *#pieces(kind: "manifest" | "data", bytes: number, what: string): AsyncGenerator<Uint8Array> {
    for (let missing = bytes; missing > 0; ) {
      const part = await this.#next();
      if (part.kind !== kind) throw misplaced(part.kind, `${missing} bytes more of ${what}`);
      if (part.data.length === 0 || part.data.length > missing) {
        throw new HpsError("invalid", `${what} is longer than the ${bytes} bytes announced, or comes in empty pieces`);
      }
      missing -= part.data.length;
      yield part.data;
    }
  }

  async #next(): Promise<UploadPart> {
    const began = this.#now();
    const next = await this.#parts.next();
    this.#waitedMs += this.#now() - began;
    if (next.done === true) throw notKept("invalid", "the upload was cut off");
    if ("data" in next.value) this.#bytes += next.value.data.length;
    if (this.#waitedMs > PATIENCE_MS + (this.#bytes * 1000) / LEAST_BYTES_PER_SECOND) {
      throw notKept("deadline", `the upload is slower than ${LEAST_BYTES_PER_SECOND / 1024} KiB/s`);
    }
    return next.value;
  }
}

function notKept(code: "invalid" | "deadline", message: string): HpsError {
  return new HpsError(code, message, { hint: "nothing of it was kept: send it again" });
}

function misplaced(kind: string, wanted: string): HpsError {
  return new HpsError("invalid", `a message with ${kind} came in the place of ${wanted}`);
}
