import { randomBytes } from "node:crypto";

const DIGEST = 32;
const WORDS = DIGEST / 4;

/**
 * Numbers of digests that lie somewhere in one memory, to be found by their bytes: four bytes a digest where a Map of texts takes
 * a hundred. Which place one has is nothing that whoever chose the digests could foresee.
 */
export class DigestTable {
  readonly #bytes: Buffer;
  /** Where the digest of each number lies. */
  readonly #offsets: Uint32Array;
  /** Numbers, and one more. */
  readonly #slots: Uint32Array;
  readonly #shift: number;
  readonly #factors = Array.from({ length: WORDS }, () => randomBytes(4).readUInt32LE() | 1);

  /** For at most so many as `offsets` has, which may be filled in later. */
  constructor(bytes: Buffer, offsets: Uint32Array) {
    this.#bytes = bytes;
    this.#offsets = offsets;
    const bits = Math.max(Math.ceil(Math.log2(2 * offsets.length + 1)), 1);
    this.#slots = new Uint32Array(2 ** bits);
    this.#shift = 32 - bits;
  }

  /** False when its digest has a number already. */
  add(number: number): boolean {
    const offset = this.#offsets[number] ?? 0;
    const slot = this.#slotOf(this.#bytes, offset);
    if (this.#slots[slot] !== 0) return false;
    this.#slots[slot] = number + 1;
    return true;
  }

  /** The number of the digest that lies at `offset` of some bytes; undefined when it has none. */
  find(bytes: Buffer, offset = 0): number | undefined {
    const found = this.#slots[this.#slotOf(bytes, offset)] ?? 0;
    return found === 0 ? undefined : found - 1;
  }

  /** The one that has the digest, or where it would be. */
  #slotOf(bytes: Buffer, offset: number): number {
    let hash = 0;
    for (let word = 0; word < WORDS; word += 1) {
      hash = (hash + Math.imul(bytes.readUInt32LE(offset + 4 * word), this.#factors[word] ?? 0)) | 0;
    }
    const mask = this.#slots.length - 1;
    for (let slot = hash >>> this.#shift; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) return slot;
      const other = this.#offsets[found - 1] ?? 0;
      if (bytes.compare(this.#bytes, other, other + DIGEST, offset, offset + DIGEST) === 0) return slot;
    }
  }
}
