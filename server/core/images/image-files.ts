import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { renameDurably, syncFolder } from "../files/durable.ts";
import { type FileWish, IncomingFile } from "../files/incoming-file.ts";
import type { Arrival, Room } from "../files/room.ts";

const INCOMING = "incoming-";

/**
 * Files of images in one folder: `<digest>` is whole and durable, `incoming-…` is on its way and nobody's when hpsd is not
 * running.
 */
export class ImageFiles {
  readonly #folder: string;
  readonly #room: Room;

  private constructor(folder: string, room: Room) {
    this.#folder = folder;
    this.#room = room;
  }

  static async open(folder: string, room: Room): Promise<ImageFiles> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new ImageFiles(folder, room);
  }

  /** Those that are missing or of another length. Changes nothing, not even makes the folder. */
  static async missing<T extends FileWish>(folder: string, room: Room, wanted: readonly T[]): Promise<readonly T[]> {
    const files = new ImageFiles(folder, room);
    const there = await Promise.all(wanted.map(async (wish) => await files.has(wish)));
    return wanted.filter((_, index) => there[index] !== true);
  }

  pathOf(digest: string): string {
    return path.join(this.#folder, digest);
  }

  /** Whether the file is there, in its length. */
  async has({ digest, sizeBytes }: FileWish): Promise<boolean> {
    return await stat(this.pathOf(digest)).then(
      ({ size }) => size === sizeBytes,
      () => false,
    );
  }

  /** Where a file may be made that is on its way: `keep` or `remove` it. */
  incoming(): string {
    return path.join(this.#folder, `${INCOMING}${randomUUID()}`);
  }

  /** Gives a whole and durable file its name. */
  async keep(made: string, digest: string): Promise<void> {
    await renameDurably(made, this.pathOf(digest));
  }

  /** Takes all that comes; the caller discards what it gets, also when it kept it. */
  async receive(wish: FileWish, what: string, data: AsyncIterable<Uint8Array>): Promise<ArrivedFile> {
    const arrival = await this.#room.take(wish.sizeBytes, what);
    const made = this.incoming();
    try {
      await receiveOne(made, { what, wish, arrival }, data);
      return {
        keep: async () => await this.keep(made, wish.digest),
        discard: async () => await rm(made, { force: true }),
      };
    } catch (error) {
      await rm(made, { force: true });
      throw error;
    } finally {
      arrival.release();
    }
  }

  /** Removes whole files that nobody names, but no name that is not ours. */
  async sweep(named: readonly FileWish[]): Promise<void> {
    const wanted = new Set(named.map(({ digest }) => digest));
    await this.#remove((name) => /^[0-9a-f]{64}$/.test(name) && !wanted.has(name));
  }

  /** At the start: what never arrived whole goes too. Answers which of `named` are missing or of another length. */
  async recover(named: readonly FileWish[]): Promise<readonly string[]> {
    await this.sweep(named);
    await this.#remove((name) => name.startsWith(INCOMING));
    const missing = await ImageFiles.missing(this.#folder, this.#room, named);
    return missing.map(({ digest }) => digest);
  }

  async #remove(isOrphan: (name: string) => boolean): Promise<void> {
    const orphans = (await readdir(this.#folder)).filter(isOrphan);
    for (const name of orphans) await rm(path.join(this.#folder, name), { force: true });
    if (orphans.length > 0) await syncFolder(this.#folder);
  }
}

/** A whole, checked, durable file that has no name yet. */
export interface ArrivedFile {
  /** Gives it its name. */
  readonly keep: () => Promise<void>;
  /** Removes what was not kept. */
  readonly discard: () => Promise<void>;
}

interface Receiving {
  readonly what: string;
  readonly wish: FileWish;
  readonly arrival: Arrival;
}

async function receiveOne(
  made: string,
  { what, wish, arrival }: Receiving,
  data: AsyncIterable<Uint8Array>,
): Promise<void> {
  const file = await IncomingFile.create(made, what, wish);
  try {
    for await (const chunk of data) {
      await file.append(chunk);
      arrival.missing = file.missing;
    }
    await file.finish();
  } finally {
    await file.discard();
  }
}
