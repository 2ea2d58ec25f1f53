import { read } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { PieceBuffers } from "./piece-buffers.ts";

export interface FileSendingOptions {
  /** Closed at the end. */
  readonly handle: FileHandle;
  readonly response: ServerResponse;
  readonly buffers: PieceBuffers;
  /** Bytes of the file. */
  readonly first: number;
  readonly last: number;
  /** Called once; bytes that the socket took. */
  readonly onEnd: (bytes: number) => void;
}

interface Piece {
  readonly buffer: Buffer;
  readonly bytes: number;
}

/**
 * A part of a file as the body of an answer: one piece is at the socket, the next is read meanwhile. A piece's memory is used
 * again when the socket says that it is done with it, which is when the kernel has all of it, encrypted.
 */
export class FileSending {
  readonly #to: FileSendingOptions;
  #at: number;
  #left: number;
  #sent = 0;
  #isReading = false;
  #ready: Piece | undefined;
  #writing: Piece | undefined;
  #isOver = false;

  constructor(options: FileSendingOptions) {
    this.#to = options;
    this.#at = options.first;
    this.#left = options.last - options.first + 1;
    // Heard also by an answer that waits for the one before it, when the peer leaves.
    options.response.once("close", this.stop);
  }

  /** Reads the first piece, so that what cannot be read is known before an answer begins. `data-loss`; it is over then. */
  async prepare(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#read((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** After `prepare`, when the answer's head is on its way. */
  run(): void {
    this.#go();
  }

  /** Breaks off: the peer sees that the answer is not whole. */
  readonly stop = (): void => {
    if (this.#isOver) return;
    this.#end();
    this.#to.response.destroy();
  };

  #go(): void {
    if (this.#isOver) return;
    if (this.#writing === undefined && this.#ready !== undefined) this.#write(this.#ready);
    const mayRead = !this.#isReading && this.#ready === undefined && this.#left > 0;
    if (mayRead && (this.#writing === undefined || this.#to.buffers.hasSpare)) this.#read(this.#onRead);
    if (this.#left > 0 || this.#ready !== undefined || this.#writing !== undefined) return;
    this.#to.response.end();
    this.#end();
  }

  #read(done: (error?: HpsError) => void): void {
    const { handle, buffers } = this.#to;
    const buffer = buffers.take();
    this.#isReading = true;
    read(handle.fd, buffer, 0, Math.min(this.#left, buffer.length), this.#at, (cause, bytes) => {
      this.#isReading = false;
      if (!this.#isOver && cause === null && bytes > 0) {
        this.#at += bytes;
        this.#left -= bytes;
        this.#ready = { buffer, bytes };
        done();
        return;
      }
      buffers.give(buffer);
      if (this.#isOver) this.#close();
      else this.#end();
      done(lost(cause));
    });
  }

  readonly #onRead = (error?: HpsError): void => {
    // It is over then, and the peer has a part of it.
    if (error === undefined) this.#go();
    else this.#to.response.destroy();
  };

  #write(piece: Piece): void {
    this.#ready = undefined;
    this.#writing = piece;
    this.#to.response.write(piece.buffer.subarray(0, piece.bytes), this.#onWritten);
  }

  readonly #onWritten = (error?: Error | null): void => {
    const piece = this.#writing;
    if (this.#isOver || piece === undefined) return;
    if (error !== undefined && error !== null) {
      this.stop();
      return;
    }
    this.#writing = undefined;
    this.#to.buffers.give(piece.buffer);
    this.#sent += piece.bytes;
    this.#go();
  };

  #end(): void {
    const { response, buffers, onEnd } = this.#to;
    this.#isOver = true;
    response.off("close", this.stop);
    if (this.#ready !== undefined) buffers.give(this.#ready.buffer);
    if (this.#writing !== undefined) buffers.forget();
    this.#ready = undefined;
    this.#writing = undefined;
    // A descriptor that is closed under a read would be another file's.
    if (!this.#isReading) this.#close();
    onEnd(this.#sent);
  }

  #close(): void {
    this.#to.handle.close().catch(() => undefined);
  }
}

/** What hpsd has in its store and cannot read. */
export function lost(cause: unknown): HpsError {
  const hint = "whoever runs hpsd has to import it again";
  return new HpsError("data-loss", "hpsd has lost this file", { hint, cause });
}
