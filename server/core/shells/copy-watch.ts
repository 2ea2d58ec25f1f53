import { createHash } from "node:crypto";
import { type ByteString, bytesOf } from "../../../proto/tree/byte-string.ts";
import type { TarEntry } from "../../../proto/tree/tar/entry.ts";
import { TarReader } from "../../../proto/tree/tar/reader.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** What a piece of a copy's archive told. */
export interface CopyTold {
  /** For the recording: a file that is complete, or why this is no archive. */
  readonly lines: readonly object[];
  /** False: it is none, from this piece on. */
  readonly isArchive: boolean;
}

/** Reads the archive of a copy on its way: what each file is called, how large it is and its digest. Neither end is believed. */
export class CopyWatch {
  readonly #reader: TarReader;
  #lines: object[] = [];
  #entry: TarEntry | undefined;
  #hash = createHash("sha256");

  constructor() {
    this.#reader = new TarReader({
      entry: (entry) => {
        this.#entry = entry;
        this.#hash = createHash("sha256");
      },
      data: (bytes) => void this.#hash.update(bytes),
      done: () => this.#done(),
    });
  }

  /** The next bytes; not called again once they were no archive. */
  take(bytes: Uint8Array): CopyTold {
    this.#lines = [];
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
      return { lines: [...this.#lines, { notAnArchive: error.message }], isArchive: false };
    }
    return { lines: this.#lines, isArchive: true };
  }

  #done(): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    this.#lines.push(lineOf(entry, this.#hash.digest("hex")));
  }
}

/** Of a sparse file the digest covers what it holds, not its holes. */
function lineOf({ type, path, link, size, segments, mode }: TarEntry, sha256: string): object {
  const permissions = mode.toString(8).padStart(4, "0");
  const content = type === "file" ? { size, digest: `sha256:${sha256}`, ...(segments && { sparse: true }) } : {};
  const target = type === "symlink" || type === "hardlink" ? nameOf("link", link) : {};
  return { ...nameOf("file", path), type, permissions, ...content, ...target };
}

/** A name that is no UTF-8 stands in base64 beside what of it can be read. */
function nameOf(field: string, name: ByteString): object {
  const bytes = bytesOf(name);
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text).equals(bytes);
  return { [field]: text, ...(!isText && { [`${field}Bytes`]: bytes.toString("base64") }) };
}
