import { rm, unlink } from "node:fs/promises";
import type { LibraryFiles } from "./library-files.ts";
import type { WrittenPack } from "./pack-writer.ts";

/** New packs on their way; what has no name when it is disposed of is removed. */
export class IncomingPacks implements AsyncDisposable {
  /** They are made as `<path>-1`, `<path>-2`, … */
  readonly path: string;
  readonly #files: LibraryFiles;
  #packs: readonly WrittenPack[] = [];

  constructor(files: LibraryFiles) {
    this.#files = files;
    this.path = files.part("packs").incoming();
  }

  finished(packs: readonly WrittenPack[]): void {
    this.#packs = packs;
  }

  /** Gives the files their names, before the rows that name them. */
  async keep(): Promise<void> {
    for (const pack of this.#packs) await this.#files.part("packs").keep(pack.path, pack.digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { path } of this.#packs) await rm(path, { force: true });
    // Of what was cut off nobody knows how many there are.
    for (let number = this.#packs.length + 1; await removed(`${this.path}-${number}`); number += 1);
    this.#files.part("packs").arrived(this.path);
  }
}

async function removed(path: string): Promise<boolean> {
  return await unlink(path).then(
    () => true,
    () => false,
  );
}
