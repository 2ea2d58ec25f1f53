/** Bytes that come in pieces: a file's stream, the body of an HTTP answer, a list. */
export type ByteSource = AsyncIterable<Uint8Array>;

/**
 * Reads a source by amounts instead of by pieces. Holds at most one piece and what was asked to be seen. Whoever makes one
 * closes it, so that the source knows when nobody reads on.
 */
export class SourceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  /** Bytes taken so far. */
  position = 0;

  constructor(source: ByteSource) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** What can be taken without waiting. */
  get buffered(): Buffer {
    return this.#rest;
  }

  /** The next `size` bytes without taking them; fewer when the source ends. For small sizes. */
  async peek(size: number): Promise<Buffer> {
    while (this.#rest.length < size) {
      const piece = await this.#next();
      if (piece === undefined) break;
      this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    }
    return this.#rest.subarray(0, size);
  }

  /** At least one byte and at most `most`, as they come; undefined at the end. */
  async take(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const piece = await this.#next();
      if (piece === undefined) return undefined;
      this.#rest = piece;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    this.position += taken.length;
    return taken;
  }

  /** All that is left. */
  async *remaining(): AsyncGenerator<Buffer> {
    for (;;) {
      const piece = await this.take(Number.POSITIVE_INFINITY);
      if (piece === undefined) return;
      yield piece;
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#pieces.return?.();
    this.#ended = true;
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined;
    const next = await this.#pieces.next();
    if (next.done === true) {
      this.#ended = true;
      return undefined;
    }
    return Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
  }
}

/** The same bytes in pieces of at least `least`, but for the last. */
export async function* gathered(source: ByteSource, least: number): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    pieces.push(piece);
    size += piece.length;
    if (size < least) continue;
    yield joined(pieces);
    pieces = [];
    size = 0;
  }
  if (size > 0) yield joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}
