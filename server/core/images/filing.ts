import type { HpsStore } from "../../store/database.ts";
import { selectOldestOpen } from "../../store/image-uses.ts";
import { selectImageFiles } from "../../store/images.ts";
import { deletePack, retireUnneededPacks, selectIndexedFiles, selectRetiredPacks } from "../../store/packs.ts";
import type { Clock } from "../audit/audit.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import { releaseUnused } from "./image-names.ts";
import { type LibraryFiles, type LibraryUnnamed, type LibraryWishes, partOf } from "./library-files.ts";

/** A retired pack stays at least so long: who was told of it may be on the way to it. */
const RETIRED_MS = 60 * 60 * 1000;

export interface FilingDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly files: LibraryFiles;
  /** What failed after the answer was decided. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** Keeps files and the rows that name them together: between the two nobody comes. */
export class Filing {
  readonly files: LibraryFiles;
  readonly #deps: FilingDeps;
  readonly #jobs = new OneAtATime();
  /** Packs that an upload counts on, and how many do. */
  readonly #pinned = new Map<string, number>();

  constructor(deps: FilingDeps) {
    this.#deps = deps;
    this.files = deps.files;
  }

  /** One such job at a time. Keep it short: what takes long happens before. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    return await this.#jobs.run(job);
  }

  /** These packs' files stay until it is disposed of. */
  pin(digests: readonly string[]): Disposable {
    for (const digest of digests) this.#pinned.set(digest, (this.#pinned.get(digest) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const digest of digests) {
          const left = (this.#pinned.get(digest) ?? 1) - 1;
          if (left === 0) this.#pinned.delete(digest);
          else this.#pinned.set(digest, left);
        }
      },
    };
  }

  /**
   * Removes images without a name that nobody uses any more, packs that nobody can still read, and files that no row names.
   * What stays behind costs room until the next time, and nothing else. Never rejects.
   */
  async collect(): Promise<void> {
    await this.run(async () => {
      const { store, clock } = this.#deps;
      await store.write(async (tx) => {
        await releaseUnused(tx, clock());
        await retireUnneededPacks(tx, clock());
      });
      await this.#forgetRetired();
      await this.files.sweep(await this.#named());
    }).catch(this.#deps.onError);
  }

  /** At the start: as `collect`. Answers what is missing. */
  async recover(): Promise<readonly string[]> {
    await this.collect();
    return await this.run(async () => await this.files.recover(await this.#named()));
  }

  /** Files that no row names, of all libraries, between two jobs. */
  async unnamed(): Promise<readonly LibraryUnnamed[]> {
    return await this.run(async () => await this.files.unnamed(await this.#named()));
  }

  async #forgetRetired(): Promise<void> {
    const { store, clock } = this.#deps;
    await store.write(async (tx) => {
      const oldest = (await selectOldestOpen(tx)) ?? Number.MAX_SAFE_INTEGER;
      for (const pack of await selectRetiredPacks(tx, clock() - RETIRED_MS)) {
        const isRead = pack.retiredAt !== null && oldest <= pack.retiredAt;
        if (!isRead && !this.#pinned.has(pack.digest)) await deletePack(tx, pack);
      }
    });
  }

  async #named(): Promise<LibraryWishes> {
    return await this.#deps.store.read(async (db) => {
      const images = await selectImageFiles(db);
      return {
        archives: images.filter(({ format }) => partOf(format) === "archives"),
        manifests: images.filter(({ format }) => partOf(format) === "manifests"),
        packs: await selectIndexedFiles(db, "pack"),
        deltas: await selectIndexedFiles(db, "delta"),
      };
    });
  }
}
