import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { renameDurably, syncFolder } from "../files/durable.ts";
import { type FileWish, IncomingFile } from "../files/incoming-file.ts";
import type { Arrival, Room } from "../files/room.ts";

const INCOMING = "incoming-";

/**
 * The archives of images, in one folder: `<digest>` is whole and durable, `incoming-…` is on its way and nobody's when hpsd
 * is not running.
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

  /** Takes all that comes; the caller discards what it gets, also when it kept it. */
  async receive(wish: FileWish, what: string, data: AsyncIterable<Uint8Array>): Promise<ArrivedFile> {
    const arrival = await this.#room.take(wish.sizeBytes, what);
    const made = path.join(this.#folder, `${INCOMING}${randomUUID()}`);
    try {
      await receiveOne(made, { what, wish, arrival }, data);
      return {
        keep: async () => await renameDurably(made, this.pathOf(wish.digest)),
        discard: async () => await rm(made, { force: true }),
      };
    } catch (error) {
      await rm(made, { force: true });
      throw error;
    } finally {
      arrival.release();
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.pathOf(digest), { force: true });
    await syncFolder(this.#folder);
  }

  /** Removes what nobody names, but no name that is not ours. Answers which of `named` are missing or of another length. */
  async recover(named: readonly FileWish[]): Promise<readonly string[]> {
    const wanted = new Set(named.map(({ digest }) => digest));
    for (const name of await readdir(this.#folder)) {
      const orphan = name.startsWith(INCOMING) || (/^[0-9a-f]{64}$/.test(name) && !wanted.has(name));
      if (orphan) await rm(path.join(this.#folder, name), { force: true });
    }
    const missing = await ImageFiles.missing(this.#folder, this.#room, named);
    return missing.map(({ digest }) => digest);
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
