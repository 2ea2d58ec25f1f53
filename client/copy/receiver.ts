import { type ByteString, latin1, showName } from "../../proto/tree/byte-string.ts";
import type { TarEntry, TarHandler } from "../../proto/tree/tar/entry.ts";
import { DEFAULT_LIMITS } from "../../proto/tree/unpack/limits.ts";
import { safeParts } from "../../proto/tree/unpack/safe-path.ts";
import { Unpacker } from "../../proto/tree/unpack/unpacker.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** How deep below its top a copy may be. */
const DEEPEST = 128;

export interface ReceiverOptions {
  /** An open folder: all that is made is made below it, whatever the host says. */
  readonly root: number;
  /** What a folder is called there; empty: what is in it comes straight into the root. */
  readonly name: ByteString;
  /** What a file is called there. */
  readonly fileName: ByteString;
  /** What was asked for: anything else is refused. */
  readonly recursive: boolean;
  /** Permission bits and times as they are. */
  readonly exact: boolean;
  /** Of whoever copies. */
  readonly owner: { readonly uid: number; readonly gid: number; readonly umask: number };
  /** Nanoseconds since 1970. */
  readonly now: bigint;
  readonly onBytes: (count: number) => void;
}

/**
 * Makes files here of an archive that a host sent, which may say anything: names lead nowhere but below the one that was asked for, no
 * link is followed, no folder that is here gives way to a file or becomes open to others, all is one's own, nothing runs as another,
 * no devices.
 */
export class Receiver implements TarHandler {
  readonly #options: ReceiverOptions;
  readonly #unpacker: Unpacker;
  #entries = 0;
  #isSkipped = false;
  /** Devices and pipes that were left out. */
  skipped = 0;
  /** What the top is. */
  top: "file" | "directory" | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    const found = options.exact ? "change" : "leave";
    this.#unpacker = new Unpacker(options.root, { limits: DEFAULT_LIMITS, devices: "refuse", folders: "keep", found });
  }

  entry(entry: TarEntry): void {
    this.#entries += 1;
    this.#isSkipped = SKIPPED.has(entry.type);
    if (this.#entries === 1) this.#takeTop(entry);
    else if (this.top === "file") throw surprise(entry, "more than the file that was asked for");
    if (this.#isSkipped) this.skipped += 1;
    else this.#unpacker.entry(this.#own(entry));
  }

  data(bytes: Uint8Array, offset: number): void {
    this.#options.onBytes(bytes.length);
    if (!this.#isSkipped) this.#unpacker.data(bytes, offset);
  }

  done(): void {
    if (!this.#isSkipped) this.#unpacker.done();
  }

  /** Modes and times of folders, when all is there. */
  *finish(): Generator<void> {
    yield* this.#unpacker.finish();
  }

  close(): void {
    this.#unpacker.close();
  }

  #takeTop(entry: TarEntry): void {
    const isFolder = entry.type === "directory" && safeParts(entry.path, DEEPEST).length === 0;
    if (isFolder && this.#options.recursive) this.top = "directory";
    else if (entry.type === "file") this.top = "file";
    else throw surprise(entry, "what was not asked for");
  }

  #own(entry: TarEntry): TarEntry {
    const { exact, owner, now } = this.#options;
    const { uid, gid, umask } = owner;
    return {
      ...entry,
      path: this.#placed(entry.path),
      link: entry.type === "hardlink" ? this.#placed(entry.link) : entry.link,
      mode: entry.mode & 0o777 & (exact ? 0o777 : ~umask),
      ...{ uid, gid, mtime: exact ? entry.mtime : now, xattrs: [], acls: {} },
    };
  }

  /** Below the copy's own name; a path that climbs is refused before. */
  #placed(path: ByteString): ByteString {
    const { name, fileName } = this.#options;
    if (this.top === "file") return fileName;
    const parts = safeParts(path, DEEPEST);
    return latin1((name === "" ? parts : [name, ...parts]).join("/") || ".");
  }
}

const SKIPPED: ReadonlySet<TarEntry["type"]> = new Set(["character", "block", "fifo"]);

function surprise({ path }: TarEntry, what: string): HpsError {
  return new HpsError("data-loss", `the host sent ${what}: ${showName(path)}`, {
    hint: "nothing of it was written; something is wrong with the tar of that host",
  });
}
