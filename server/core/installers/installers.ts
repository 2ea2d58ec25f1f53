import path from "node:path";
import type { InstallerFileName } from "../../../proto/values/installer-file.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectInstallersInUse } from "../../store/installations.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import { Wakes } from "../changes/wakes.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import type { Caller } from "../identity/principal.ts";
import { type InstallerAnnouncement, type InstallerSet, parseInstallerOrder } from "./installer-set.ts";
import type { SetFolder } from "./set-folder.ts";

export interface InstallersDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly folder: SetFolder;
  /** What failed after the answer was decided. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** A machine may have been sent to a set the moment before another took its place. */
const GRACE_MS = 600_000;

export interface CurrentInstaller extends InstallerSet {
  /** UTC milliseconds. */
  readonly importedAt: number;
}

/**
 * The installer that machines boot, and the ones that unfinished installations booted before it: their tools must stay the
 * ones their kernel fits. Where the files lie is `SetFolder`'s to say.
 */
export class Installers {
  /** Woken when another installer is the current one. */
  readonly changed = new Wakes();
  readonly #deps: InstallersDeps;
  readonly #sets = new Map<string, InstallerSet>();
  readonly #switching = new OneAtATime();
  /** When sets ceased to be the current one. */
  readonly #replaced = new Map<string, number>();
  #current: CurrentInstaller | undefined;
  /** The current set, where its files are no longer what they were. */
  #lost: string | undefined;

  private constructor(deps: InstallersDeps) {
    this.#deps = deps;
  }

  /** Removes what never arrived whole and what nobody needs. A current set that is damaged is one to import again. */
  static async open(deps: InstallersDeps): Promise<Installers> {
    const installers = new Installers(deps);
    const { folder } = deps;
    for (const set of await folder.sets()) installers.#sets.set(set.digest, set);
    const current = await folder.current();
    const set = current && installers.#sets.get(current.digest);
    installers.#current = current && set && { ...set, importedAt: current.importedAt };
    installers.#lost = set === undefined ? current?.digest : undefined;
    await installers.prune();
    return installers;
  }

  /** What an operator has to do before a machine can be installed; empty when nothing. */
  get problem(): string {
    if (this.#current !== undefined) return "";
    const what = this.#lost === undefined ? "there is no installer yet" : "files of the installer are gone or altered";
    return `${what}: hpsctl installer-image import brings one`;
  }

  /** Undefined until the first was imported. */
  get current(): CurrentInstaller | undefined {
    return this.#current;
  }

  /** A file of the current set, or of the one with this digest; undefined when there is no such set or file. */
  file(name: InstallerFileName, digest = this.#current?.digest ?? ""): StoredFile | undefined {
    const file = this.#sets.get(digest)?.files.find((candidate) => candidate.name === name);
    return file && { ...file, path: path.join(this.#deps.folder.pathOf(digest), name) };
  }

  /** Takes the place of the current one when all is there; until then, and after any failure, that one stays whole. */
  async import(
    caller: Caller,
    said: InstallerAnnouncement,
    data: AsyncIterable<Uint8Array>,
  ): Promise<CurrentInstaller> {
    const { order, ...set } = parseInstallerOrder(said);
    const { folder, store, audit, clock } = this.#deps;
    const arrived = await folder.receive(set, order, data);
    try {
      const current = await this.#switching.run(async () => {
        await arrived.keep();
        const made = { ...set, importedAt: clock() };
        const details = { digest: set.digest, version: set.version };
        await store.write((tx) => audit.allowed(tx, actorOfCaller(caller), { target: "installer", details }));
        await folder.setCurrent(made);
        if (this.#current !== undefined) this.#replaced.set(this.#current.digest, clock());
        this.#sets.set(set.digest, set);
        this.#current = made;
        this.#lost = undefined;
        return made;
      });
      this.changed.wake();
      return current;
    } finally {
      await arrived.discard();
      await this.prune().catch(this.#deps.onError);
    }
  }

  /** Forgets sets that are neither current, nor were a moment ago, nor are an unfinished installation's. */
  async prune(): Promise<void> {
    const { store, folder, clock } = this.#deps;
    await this.#switching.run(async () => {
      const used = new Set(await store.read((db) => selectInstallersInUse(db)));
      const old = clock() - GRACE_MS;
      for (const [digest, at] of this.#replaced) if (at <= old) this.#replaced.delete(digest);
      const kept = (digest: string) =>
        digest === this.#current?.digest || used.has(digest) || this.#replaced.has(digest);
      for (const digest of [...this.#sets.keys()].filter((each) => !kept(each))) this.#sets.delete(digest);
      await folder.keepOnly([...this.#sets.keys(), ...(this.#lost === undefined ? [] : [this.#lost])]);
    });
  }
}
