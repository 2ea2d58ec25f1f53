import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Size in bytes and `sha256:…` of a recording. */
export interface FileDigest {
  readonly bytes: number;
  readonly digest: string;
}

/** What a file holds already. */
export interface Written {
  readonly bytes: number;
  /** Of exactly these bytes; goes on from here. */
  readonly hash: ReturnType<typeof createHash>;
}

/** A file that only grows, with the digest of all that was written. One write at a time, in the order they were asked for. */
export class RecordingFile {
  readonly #handle: FileHandle;
  readonly #hash: Written["hash"];
  #bytes: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle, { bytes, hash }: Written) {
    this.#handle = handle;
    this.#bytes = bytes;
    this.#hash = hash;
  }

  /** Never an existing file; 0600. */
  static async create(path: string): Promise<RecordingFile> {
    return new RecordingFile(await open(path, "wx", 0o600), { bytes: 0, hash: createHash("sha256") });
  }

  /** Goes on behind the first `written.bytes` of a file another process left; what is behind them is cut off. */
  static async reopen(path: string, written: Written): Promise<RecordingFile> {
    const handle = await open(path, constants.O_WRONLY | constants.O_APPEND);
    try {
      await handle.truncate(written.bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new RecordingFile(handle, written);
  }

  /** Asked to be written so far; what failed counts too. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the bytes are the kernel's: the death of this process does not lose them. After a failure all fail. */
  append(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.#bytes += bytes.length;
    this.#last = this.#last.then(async () => {
      await this.#handle.appendFile(bytes);
      this.#hash.update(bytes);
    });
    return this.#last;
  }

  /** Makes durable what was asked to be written so far. */
  async sync(): Promise<void> {
    await this.#last;
    await this.#handle.sync();
  }

  /** Makes it durable and closes it, whatever happened before. */
  async finish(): Promise<FileDigest> {
    try {
      await this.sync();
    } finally {
      await this.#handle.close();
    }
    return { bytes: this.#bytes, digest: digestOf(this.#hash) };
  }
}

/** Reads a file once from its beginning: `onChunk` sees all of it. */
export async function readWritten(path: string, onChunk: (chunk: Buffer) => void = () => undefined): Promise<Written> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    bytes += chunk.length;
    onChunk(chunk);
  }
  return { bytes, hash };
}

/** Of a file that another process left; undefined when there is none. */
export async function digestOfFile(path: string): Promise<FileDigest | undefined> {
  try {
    const { bytes, hash } = await readWritten(path);
    return { bytes, digest: digestOf(hash) };
  } catch {
    return undefined;
  }
}

function digestOf(hash: Written["hash"]): string {
  return `sha256:${hash.digest("hex")}`;
}
