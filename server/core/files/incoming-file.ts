import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { diskError } from "./disk-error.ts";

/** What a file is to be. */
export interface FileWish {
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** One that is there. */
export interface StoredFile extends FileWish {
  readonly path: string;
}

/** So much at most waits for the disk when the file is whole: its last sync must not hold up the store's. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/** A file as it arrives: written, counted and hashed at once. Whoever makes one ends it by `finish` or `discard`. */
export class IncomingFile {
  readonly #handle: FileHandle;
  readonly #what: string;
  readonly #wish: FileWish;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #unsynced = 0;

  private constructor(handle: FileHandle, what: string, wish: FileWish) {
    this.#handle = handle;
    this.#what = what;
    this.#wish = wish;
  }

  /** Never an existing file; 0600. `what` names it to its sender: `image debian:12`. */
  static async create(path: string, what: string, wish: FileWish): Promise<IncomingFile> {
    return new IncomingFile(await open(path, "wx", 0o600).catch((error) => fail(error, what)), what, wish);
  }

  /** How much is still to come. */
  get missing(): number {
    return this.#wish.sizeBytes - this.#bytes;
  }

  /** Resolves when the bytes are the kernel's. `invalid` for more than announced, `exhausted` for a full disk. */
  async append(data: Uint8Array): Promise<void> {
    if (data.length > this.missing) throw this.#wrong(`is longer than the ${this.#wish.sizeBytes} bytes announced`);
    this.#hash.update(data);
    try {
      await this.#handle.appendFile(data);
      this.#unsynced += data.length;
      if (this.#unsynced >= SYNC_EVERY_BYTES) await this.#sync();
    } catch (error) {
      fail(error, this.#what);
    }
    this.#bytes += data.length;
  }

  /** Closes it durably. `invalid` when it is not what was announced. */
  async finish(): Promise<void> {
    try {
      if (this.missing > 0) throw this.#wrong(`ended after ${this.#bytes} of ${this.#wish.sizeBytes} bytes`);
      const digest = this.#hash.digest("hex");
      if (digest !== this.#wish.digest) throw this.#wrong(`was altered on its way: its SHA-256 is ${digest}`);
      await this.#handle.sync().catch((error) => fail(error, this.#what));
    } finally {
      await this.#handle.close();
    }
  }

  /** Closes it; the file itself is its maker's to remove. Idempotent. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  async #sync(): Promise<void> {
    this.#unsynced = 0;
    await this.#handle.datasync();
  }

  #wrong(how: string): HpsError {
    return new HpsError("invalid", `${this.#what} ${how}`, { hint: "nothing of it was kept: send it again" });
  }
}

function fail(error: unknown, what: string): never {
  throw diskError(error, what);
}
