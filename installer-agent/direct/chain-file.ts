import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { chainLink, chainStart, type DirectEvent, digestText, readChain } from "../../proto/direct/chain.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** How long what is written may wait for the disk: what a power cut can take of an open session. */
const SYNC_MS = 200;

interface Position {
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly bytes: number;
  readonly elapsed: number;
}

/** A recording that an agent keeps: a chain that only grows, in a file that only its agent reads. */
export class ChainFile {
  readonly #handle: FileHandle;
  readonly #began: number;
  #hash: Uint8Array<ArrayBuffer>;
  #bytes: number;
  #last: Promise<void> = Promise.resolve();
  #sync: NodeJS.Timeout | undefined;

  private constructor(handle: FileHandle, { hash, bytes, elapsed }: Position) {
    this.#handle = handle;
    this.#hash = hash;
    this.#bytes = bytes;
    this.#began = performance.now() - elapsed;
  }

  /** Never an existing file; 0600. */
  static async create(path: string, session: string): Promise<ChainFile> {
    const handle = await open(path, "wx", 0o600);
    return new ChainFile(handle, { hash: chainStart(session), bytes: 0, elapsed: 0 });
  }

  /** `sha256:…` of the last link. */
  get digest(): string {
    return digestText(this.#hash);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the kernel has it: the death of this process does not lose it. After a failure all fail. */
  append(event: DirectEvent): Promise<void> {
    const { frame, digest } = chainLink(this.#hash, performance.now() - this.#began, event);
    this.#hash = digest;
    this.#bytes += frame.length;
    this.#last = this.#last.then(async () => await this.#handle.appendFile(frame));
    this.#sync ??= setTimeout(() => {
      this.#sync = undefined;
      // What fails here shows in the next append, or at the end.
      void this.#last.then(async () => await this.#handle.datasync()).catch(() => undefined);
    }, SYNC_MS);
    return this.#last;
  }

  /** Durable now. */
  async sync(): Promise<void> {
    await this.#last;
    await this.#handle.sync();
  }

  /** Durable and closed, whatever happened before. */
  async close(): Promise<void> {
    clearTimeout(this.#sync);
    try {
      await this.sync();
    } finally {
      await this.#handle.close();
    }
  }

  /**
   * What an agent that was killed left, or a full disk: a torn last link goes, and an end is written that says so. `data-loss` for a
   * chain that is broken elsewhere, which is left as it is; a whole one is left too. `not-found` when it never began.
   */
  static async end(path: string, session: string, reason: string): Promise<void> {
    const { position, ended } = await wholePart(path, session);
    if (ended) return;
    const handle = await open(path, "r+");
    await handle.truncate(position.bytes);
    await handle.close();
    const file = new ChainFile(await open(path, "a"), position);
    // What fails here shows in close.
    void file.append({ case: "end", value: { exit: { code: 255, signal: 0, reason } } }).catch(() => undefined);
    await file.close();
  }
}

async function wholePart(
  path: string,
  session: string,
): Promise<{ readonly position: Position; readonly ended: boolean }> {
  let position: Position = { hash: chainStart(session), bytes: 0, elapsed: 0 };
  let ended = false;
  try {
    for await (const { record, hash, end } of readChain(session, createReadStream(path))) {
      position = { hash, bytes: end, elapsed: Number(record.elapsed) };
      ended = record.event.case === "end";
    }
  } catch (error) {
    if (!(error instanceof HpsError) || error.details.torn !== "yes") throw error;
    ended = false;
  }
  if (position.bytes === 0) throw new HpsError("not-found", "nothing of the recording is whole");
  return { position, ended };
}
