import { damagedImage, type Layer, unknownVersion } from "./damage.ts";

/** Reads numbers and byte strings one after the other; every excess is an error that names `layer` and place. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #layer: Layer;
  #at = 0;

  constructor(bytes: Uint8Array, layer: Layer) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#layer = layer;
  }

  get position(): number {
    return this.#at;
  }

  /** Goes on elsewhere. */
  goTo(position: number): void {
    this.#at = position;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(what: string): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#cut(what);
    this.#at += 1;
    return byte;
  }

  /** LEB128 in its shortest form, 0 to `most`. */
  number(what: string, most: number): number {
    const start = this.#at;
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte(what);
      value += (byte & 127) * scale;
      // Before the sum could be inexact: eight bytes of seven bits pass 2^53.
      if (value > most || scale > 2 ** 49) throw this.wrong(`${what} is above ${most}`, start);
      if (byte < 128) {
        if (byte === 0 && scale > 1) throw this.wrong(`${what} is not written in its shortest form`, start);
        return value;
      }
    }
  }

  /** A number that may be negative, from -`most` to `most`: zigzag. */
  signed(what: string, most: number): number {
    const start = this.#at;
    const coded = this.number(what, 2 * most);
    const value = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    if (value < -most) throw this.wrong(`${what} is below -${most}`, start);
    return value;
  }

  /** Exactly `count` bytes, not copied. */
  take(count: number, what: string): Buffer {
    if (count > this.left) throw this.#cut(what);
    const start = this.#at;
    this.#at += count;
    return this.#bytes.subarray(start, this.#at);
  }

  /** Length and bytes, at most `most`; not copied. */
  bytes(what: string, most: number): Buffer {
    return this.take(this.number(`the length of ${what}`, most), what);
  }

  /** What a file of this layer begins with: its name and the version, which must be 1. */
  magic(name: string): void {
    const found = this.#bytes.subarray(0, name.length);
    if (found.toString("latin1") !== name) throw this.wrong("it does not begin as one", 0);
    this.#at = name.length;
    const version = this.byte("the version");
    if (version !== 1) throw unknownVersion(this.#layer, version);
  }

  end(): void {
    if (this.left > 0) throw this.wrong(`${this.left} bytes follow its end`);
  }

  wrong(why: string, at = this.#at): Error {
    return damagedImage(this.#layer, at, why);
  }

  #cut(what: string): Error {
    return damagedImage(this.#layer, this.#bytes.length, `it ends within ${what}`);
  }
}
