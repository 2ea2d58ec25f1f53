import { BLOCK } from "./header.ts";

/** Reads bytes of `chunk` from `at` on, at least one; gives where it stopped. */
type State = (chunk: Buffer, at: number) => number;

type BlockTaker = (block: Buffer, at: number) => void;

interface ContentTaker {
  data(bytes: Buffer): void;
  done(): void;
}

/** Cuts a stream that comes in pieces of any size into an archive's blocks of 512 bytes and the contents between them. */
export class TarFeed {
  #state: State = (chunk, at) => this.#readBlock(chunk, at);
  #onBlock: BlockTaker;
  /** The block that is being gathered from several pieces. */
  readonly #block = Buffer.alloc(BLOCK);
  #filled = 0;
  /** Bytes of the archive before the current piece. */
  position = 0;

  /** `onBlock` takes each next block, and its place, until something else is asked for. */
  constructor(onBlock: BlockTaker) {
    this.#onBlock = onBlock;
  }

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < chunk.length; ) at = this.#state(chunk, at);
    this.position += chunk.length;
  }

  /** Goes on with blocks. */
  blocks(onBlock: BlockTaker): void {
    this.#onBlock = onBlock;
    this.#state = (chunk, at) => this.#readBlock(chunk, at);
  }

  /** Goes on with `size` bytes of content, in pieces as they come; `done` follows the padding to a whole block. */
  content(size: number, to: ContentTaker): void {
    const finish = () => this.#pass((BLOCK - (size % BLOCK)) % BLOCK, { data: () => undefined, done: () => to.done() });
    this.#pass(size, { data: (bytes) => to.data(bytes), done: finish });
  }

  /** Goes on with whatever comes. */
  rest(onBytes: (bytes: Buffer, at: number) => void): void {
    this.#state = (chunk, at) => {
      onBytes(chunk.subarray(at), this.position + at);
      return chunk.length;
    };
  }

  #pass(size: number, to: ContentTaker): void {
    let left = size;
    if (left === 0) {
      to.done();
      return;
    }
    this.#state = (chunk, at) => {
      const taken = Math.min(left, chunk.length - at);
      left -= taken;
      to.data(chunk.subarray(at, at + taken));
      if (left === 0) to.done();
      return at + taken;
    };
  }

  #readBlock(chunk: Buffer, at: number): number {
    const start = this.position + at - this.#filled;
    if (this.#filled === 0 && chunk.length - at >= BLOCK) {
      this.#onBlock(chunk.subarray(at, at + BLOCK), start);
      return at + BLOCK;
    }
    const taken = Math.min(BLOCK - this.#filled, chunk.length - at);
    chunk.copy(this.#block, this.#filled, at, at + taken);
    this.#filled += taken;
    if (this.#filled === BLOCK) {
      this.#filled = 0;
      this.#onBlock(this.#block, start);
    }
    return at + taken;
  }
}
