/** Objects of an image that is being made, each once, in a file that has no name and goes with this process. */
import { hash } from "node:crypto";
import { closeSync, readSync } from "node:fs";
import type { Environment } from "../../proto/config/overrides.ts";
import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { openNameless, temporaryFolder, writeNameless } from "./nameless-file.ts";

/** Small objects are written together. */
const GATHERED = 1 << 20;

interface SpooledObject extends ImageObject {
  /** Its place in the file. */
  readonly offset: number;
}

/** Blocks the thread: it writes to the page cache. */
export class ObjectSpool implements Disposable {
  readonly #folder: string;
  readonly #fd: number;
  readonly #objects = new Map<string, SpooledObject>();
  readonly #gathered = Buffer.allocUnsafe(GATHERED);
  /** For the content of one file, which is cut to objects as it comes: memory for each would have V8 collect all the time. */
  readonly cutting = Buffer.allocUnsafeSlow(LARGEST_OBJECT);
  #filled = 0;
  #written = 0;

  /** `expected` bytes are about to come, as far as anybody knows; `environment` names the folder for it. */
  constructor(environment: Environment, expected: number) {
    this.#folder = temporaryFolder(environment);
    this.#fd = openNameless(this.#folder, expected);
  }

  /** The same object for the same bytes, which may be used again afterwards. */
  add(bytes: Uint8Array): ImageObject {
    const digest = hash("sha256", bytes, "buffer");
    const key = digest.toString("latin1");
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const object = { digest, length: bytes.length, offset: this.#written + this.#filled };
    this.#objects.set(key, object);
    this.#keep(bytes);
    return object;
  }

  /** The bytes of an object that was added; at the beginning of `into`, where that is given. */
  read({ digest }: ImageObject, into?: Buffer): Buffer {
    const object = this.#objects.get(digest.toString("latin1"));
    if (object === undefined) throw new Error("an object that was not added");
    const { offset, length } = object;
    this.#flush();
    const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const read = readSync(this.#fd, bytes, at, length - at, offset + at);
      if (read === 0) throw new HpsError("data-loss", `a file in ${this.#folder} became shorter by itself`);
      at += read;
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #keep(bytes: Uint8Array): void {
    if (this.#filled + bytes.length > GATHERED) this.#flush();
    if (bytes.length > GATHERED) {
      this.#write(bytes);
      return;
    }
    this.#gathered.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #flush(): void {
    const gathered = this.#gathered.subarray(0, this.#filled);
    this.#filled = 0;
    this.#write(gathered);
  }

  #write(bytes: Uint8Array): void {
    writeNameless(this.#fd, this.#folder, { bytes, at: this.#written });
    this.#written += bytes.length;
  }
}
