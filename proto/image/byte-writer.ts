/** Writes what `ByteReader` reads. */
export class ByteWriter {
  #bytes = Buffer.alloc(4096);
  #size = 0;

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#size] = value;
    this.#size += 1;
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no number of the format: ${value}`);
    this.#room(8);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) {
      this.#bytes[this.#size] = (rest % 128) | 128;
      this.#size += 1;
    }
    this.#bytes[this.#size] = rest;
    this.#size += 1;
  }

  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** One byte a character. */
  rawText(text: string): void {
    this.#room(text.length);
    this.#size += this.#bytes.write(text, this.#size, "latin1");
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    this.number(text.length);
    this.rawText(text);
  }

  /** What was written; the writer's own memory, so the last thing to ask for. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #room(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(2 * this.#bytes.length, this.#size + count));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}
