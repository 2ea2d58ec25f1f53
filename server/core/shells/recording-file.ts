import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Size in bytes and `sha256:…` of a recording. */
export interface FileDigest {
  readonly bytes: number;
  readonly digest: string;
}

/** A file that only grows, with the digest of all that was written. One write at a time, in the order they were asked for. */
export class RecordingFile {
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #last: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Never an existing file; 0600. */
  static async create(path: string): Promise<RecordingFile> {
    return new RecordingFile(await open(path, "wx", 0o600));
  }

  /** Resolves when the bytes are the kernel's: the death of this process does not lose them. After a failure all fail. */
  append(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.#last = this.#last.then(async () => {
      await this.#handle.appendFile(bytes);
      this.#hash.update(bytes);
      this.#bytes += bytes.length;
    });
    return this.#last;
  }

  /** Makes it durable and closes it, whatever happened before. */
  async finish(): Promise<FileDigest> {
    try {
      await this.#last;
      await this.#handle.sync();
    } finally {
      await this.#handle.close();
    }
    return { bytes: this.#bytes, digest: digestOf(this.#hash) };
  }
}

/** Of a file that another process left; undefined when there is none. */
export async function digestOfFile(path: string): Promise<FileDigest | undefined> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch {
    return undefined;
  }
  return { bytes, digest: digestOf(hash) };
}

function digestOf(hash: ReturnType<typeof createHash>): string {
  return `sha256:${hash.digest("hex")}`;
}
