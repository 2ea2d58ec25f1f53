import { createHash } from "node:crypto";

const ZEROS = Buffer.alloc(1 << 20);

/** SHA-256 of a file whose data comes in pieces, in order, with holes between them. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  #at = 0;

  add(bytes: Uint8Array, offset: number): void {
    this.#zerosTo(offset);
    this.#hash.update(bytes);
    this.#at = offset + bytes.length;
  }

  /** Of a file of `size` bytes. */
  digest(size: number): string {
    this.#zerosTo(size);
    return this.#hash.digest("hex");
  }

  #zerosTo(offset: number): void {
    while (this.#at < offset) {
      const length = Math.min(ZEROS.length, offset - this.#at);
      this.#hash.update(ZEROS.subarray(0, length));
      this.#at += length;
    }
  }
}
