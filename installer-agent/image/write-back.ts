import { latin1 } from "../../proto/tree/byte-string.ts";
import { syncFileSystemMeanwhile } from "../../proto/tree/native/files.ts";
import { unpackError } from "../../proto/tree/unpack/unpack-error.ts";

/** More would be left for the end; less would have the file system's journal written again and again. */
const ENOUGH = 96 * 1024 * 1024;

/**
 * Has the disk write while the processors work: left to itself, the kernel keeps nearly all of an image in memory until
 * somebody waits for it.
 */
export class WriteBack {
  readonly #folder: number;
  #told = 0;
  #running: Promise<void> | undefined;
  #failure: unknown;

  /** `folder` is open, and on the file system that is written to. */
  constructor(folder: number) {
    this.#folder = folder;
  }

  /** So many bytes were written in all. Throws what the disk could not write. */
  written(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#running !== undefined || bytes - this.#told < ENOUGH) return;
    this.#told = bytes;
    this.#running = syncFileSystemMeanwhile(this.#folder)
      .catch((error: unknown) => {
        this.#failure = unpackError(error, latin1(""));
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Nothing is on its way any more; the rest is for whoever syncs at last. */
  async end(): Promise<void> {
    await this.#running;
  }

  /** Throws what the disk could not write. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
