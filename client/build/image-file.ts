/** An image on its way to its place: compressed, hashed, and not there before it is whole. */
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { HpsError } from "../../proto/values/hps-error.ts";

export interface WrittenImage {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
}

/** Ratio falls by a tenth at four times the speed of the levels that follow. */
const LEVEL = 3;

/** Begins the file that will be `path`. */
export async function beginImage(path: string): Promise<ImageFile> {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  const handle = await open(beside, "wx", 0o644).catch((cause: unknown) => {
    throw new HpsError("invalid", `cannot make the file ${path}`, {
      hint: "does its folder exist, and may you write there?",
      cause,
    });
  });
  return new ImageFile(path, beside, handle);
}

/** Until kept, it is gone when disposed of. */
export class ImageFile implements AsyncDisposable {
  readonly #path: string;
  readonly #beside: string;
  readonly #handle: FileHandle;

  constructor(path: string, beside: string, handle: FileHandle) {
    this.#path = path;
    this.#beside = beside;
    this.#handle = handle;
  }

  /** Takes a whole tar archive, once. */
  async write(archive: Readable): Promise<WrittenImage> {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const target = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        hash.update(chunk);
        sizeBytes += chunk.length;
        this.#handle.writeFile(chunk).then(
          () => done(),
          (cause: Error) => done(writeError(this.#path, cause)),
        );
      },
    });
    const params = { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
    await pipeline(archive, createZstdCompress({ params }), target);
    return { path: this.#path, sizeBytes, digest: hash.digest("hex") };
  }

  /** Puts it in its place, when what was written is safe on the disk. */
  async keep(): Promise<void> {
    await this.#handle.sync();
    await rename(this.#beside, this.#path);
    await using folder = await open(dirname(this.#path), "r");
    await folder.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#beside, { force: true });
  }
}

function writeError(path: string, cause: Error): HpsError {
  const full = "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT");
  return full
    ? new HpsError("exhausted", `no space is left for ${path}`, { hint: "free some, or name another file", cause })
    : new HpsError("unavailable", `cannot write ${path}`, { cause });
}
