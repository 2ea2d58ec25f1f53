import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { renameDurably, syncFolder } from "../files/durable.ts";
import { type FileWish, IncomingFile } from "../files/incoming-file.ts";
import type { Arrival, Room } from "../files/room.ts";

const INCOMING = "incoming-";
/** Of such a name; one of several that arrive together has a number behind it. */
const INCOMING_LENGTH = INCOMING.length + 36;

/** A file that nobody names: on its way, left behind by something that failed, or not hpsd's at all. */
export interface UnnamedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly state: "arriving" | "orphan" | "foreign";
}

/** Files of images in one folder: `<digest>` is whole and durable, `incoming-…` is on its way, or left behind. */
export class ImageFiles {
  readonly #folder: string;
  readonly #room: Room;
  /** Beginnings of names that are on their way; others that look so were left behind, by this process or an earlier one. */
  readonly #arriving = new Set<string>();

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

  /** Where a file may be made that is on its way, or several whose names begin so: `arrived` when it is no more. */
  incoming(): string {
    const name = `${INCOMING}${randomUUID()}`;
    this.#arriving.add(name);
    return path.join(this.#folder, name);
  }

  /** What was made there was kept or removed. */
  arrived(made: string): void {
    this.#arriving.delete(path.basename(made));
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
        discard: async () => await this.#discard(made),
      };
    } catch (error) {
      await this.#discard(made);
      throw error;
    } finally {
      arrival.release();
    }
  }

  /** What lies there that nobody names. */
  async unnamed(named: readonly FileWish[]): Promise<readonly UnnamedFile[]> {
    const files = (await this.#unnamed(named)).map(async ({ name, state }) => {
      const found = await stat(path.join(this.#folder, name)).catch(() => undefined);
      return found === undefined ? [] : [{ name, state, sizeBytes: found.size }];
    });
    return (await Promise.all(files)).flat();
  }

  /** Removes files that nobody names and that are not on their way, but no name that is not ours. */
  async sweep(named: readonly FileWish[]): Promise<void> {
    const orphans = (await this.#unnamed(named)).filter(({ state }) => state === "orphan");
    for (const { name } of orphans) await rm(path.join(this.#folder, name), { force: true });
    if (orphans.length > 0) await syncFolder(this.#folder);
  }

  /** The same at the start. Answers which of `named` are missing or of another length. */
  async recover(named: readonly FileWish[]): Promise<readonly string[]> {
    await this.sweep(named);
    const missing = await ImageFiles.missing(this.#folder, this.#room, named);
    return missing.map(({ digest }) => digest);
  }

  async #unnamed(named: readonly FileWish[]): Promise<readonly Omit<UnnamedFile, "sizeBytes">[]> {
    const wanted = new Set(named.map(({ digest }) => digest));
    const files = (await readdir(this.#folder, { withFileTypes: true })).filter((file) => !file.isDirectory());
    return files.flatMap(({ name }) => (wanted.has(name) ? [] : [{ name, state: this.#stateOf(name) }]));
  }

  #stateOf(name: string): UnnamedFile["state"] {
    if (/^[0-9a-f]{64}$/.test(name)) return "orphan";
    if (!name.startsWith(INCOMING)) return "foreign";
    return this.#arriving.has(name.slice(0, INCOMING_LENGTH)) ? "arriving" : "orphan";
  }

  async #discard(made: string): Promise<void> {
    await rm(made, { force: true });
    this.arrived(made);
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
