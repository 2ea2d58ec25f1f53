import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { formatSize } from "../../proto/values/size.ts";
import { describeError, type Log } from "../log.ts";
import { ChainFile } from "./chain-file.ts";

export interface RecordingLimits {
  /** Of one session, in bytes. */
  readonly sessionSize: number;
  /** Of all that hpsd has not taken. */
  readonly size: number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const EXTENSION = ".chain";
/** hpsd would not have it: kept for people to look at. */
const REFUSED = ".refused";

/** The recordings on this host that hpsd has not taken yet. */
export class Recordings {
  readonly #folder: string;
  readonly #limits: RecordingLimits;
  readonly #log: Log;
  readonly #open = new Map<string, ChainFile>();
  /** Ids of sessions that are over, and whose recording hpsd has neither taken nor refused. */
  readonly #undelivered = new Set<string>();
  /** Of those, the ones that could not be written to their end. */
  readonly #torn = new Set<string>();
  /** Bytes of those that are not open. */
  #held = 0;

  constructor(folder: string, limits: RecordingLimits, log: Log) {
    this.#folder = folder;
    this.#limits = limits;
    this.#log = log;
  }

  /** Ends what an agent before this one left open. */
  async openFolder(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const id of await this.waiting()) {
      this.#undelivered.add(id);
      try {
        await this.#end(id, "the agent ended before the session did");
      } catch (error) {
        this.#log.warn(`a kept recording is not whole: ${describeError(error)}`, { session: id });
      }
    }
    await this.#count();
  }

  /**
   * Before it is delivered: one that could not be written to its end gets that now. Any other is as it was written, or was altered,
   * which hpsd is to see. Rejects while there is no room for it.
   */
  async complete(id: string): Promise<void> {
    if (!this.#torn.has(id)) return;
    await this.#end(id, "the disk of the host took no more of the recording");
    this.#torn.delete(id);
  }

  /** A session that never began has no recording. */
  async #end(id: string, reason: string): Promise<void> {
    try {
      await ChainFile.end(this.fileOf(id), id, reason);
    } catch (error) {
      if (!(error instanceof HpsError) || error.code !== "not-found") throw error;
      await this.taken(id);
    }
  }

  /** Ids of sessions whose recording is whole and waits for hpsd, the oldest first. */
  async waiting(): Promise<readonly string[]> {
    const names = await readdir(this.#folder);
    const ids = names.filter((name) => name.endsWith(EXTENSION)).map((name) => name.slice(0, -EXTENSION.length));
    return ids.filter((id) => UUID.test(id) && !this.#open.has(id)).sort();
  }

  fileOf(id: string): string {
    return join(this.#folder, `${id}${EXTENSION}`);
  }

  /** `exhausted` when there is no room for another. */
  async create(id: string): Promise<ChainFile> {
    if (this.#bytes >= this.#limits.size) throw this.#full();
    const file = await ChainFile.create(this.fileOf(id), id);
    this.#open.set(id, file);
    return file;
  }

  /** Before a session's recording grows by `more`: `exhausted` when it may not. */
  admit(file: ChainFile, more: number): void {
    const { sessionSize, size } = this.#limits;
    if (file.bytes + more > sessionSize) {
      throw new HpsError(
        "exhausted",
        `this session's recording on the host has reached its limit of ${formatSize(sessionSize)}`,
      );
    }
    if (this.#bytes + more > size) throw this.#full();
  }

  /** The session is over, its file closed; `isWhole`: with its end. */
  closed(id: string, isWhole: boolean): void {
    if (!isWhole) this.#torn.add(id);
    this.#held += this.#open.get(id)?.bytes ?? 0;
    this.#open.delete(id);
    this.#undelivered.add(id);
  }

  /** The session never began: nothing of it is kept. */
  async discard(id: string): Promise<void> {
    this.#open.delete(id);
    await rm(this.fileOf(id), { force: true });
  }

  /** How many wait for hpsd. */
  get undelivered(): number {
    return this.#undelivered.size;
  }

  /** hpsd has it durably, or there is nothing to have. */
  async taken(id: string): Promise<void> {
    await rm(this.fileOf(id), { force: true });
    this.#undelivered.delete(id);
    await this.#count();
  }

  /** hpsd will never take it. */
  async refused(id: string): Promise<void> {
    await rename(this.fileOf(id), join(this.#folder, `${id}${REFUSED}`));
    this.#undelivered.delete(id);
  }

  get #bytes(): number {
    return [...this.#open.values()].reduce((sum, { bytes }) => sum + bytes, this.#held);
  }

  async #count(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => !this.#open.has(name.slice(0, -EXTENSION.length)));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.#folder, name))).size));
    this.#held = sizes.reduce((sum, size) => sum + size, 0);
    await using folder = await open(this.#folder, "r");
    await folder.sync();
  }

  #full(): HpsError {
    const { size } = this.#limits;
    return new HpsError(
      "exhausted",
      `this host keeps ${formatSize(size)} of recordings that hpsd has not taken, and no more`,
      {
        hint: "they go to hpsd when it is back",
      },
    );
  }
}
