import type { Db, HpsStore } from "../../store/database.ts";
import { selectExpiringLibraries, selectKeepRules, selectNames } from "../../store/image-names.ts";
import { SHARED_LIBRARY } from "../../store/images.ts";
import { selectPackReaders } from "../../store/pack-readers.ts";
import { type PackRow, selectPacks } from "../../store/packs.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import { isUsed, releaseImage } from "./image-names.ts";
import { type PassingName, planPassing } from "./passing-plan.ts";

export interface PassingNamesDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  /** So many tags of each name the shared library keeps; 0: all. */
  readonly sharedTags: number;
}

/** What goes, or would. */
export interface Passing {
  readonly names: readonly PassingName[];
  /** Packs that no image is read from then. */
  readonly packs: readonly PackRow[];
}

const HPSD: AuditActor = { actor: "hpsd", action: "image.expire", address: "" };
const REASONS = { expired: "its time had come", surplus: "there are newer tags enough" } as const;
/** In one transaction: others wait for it. */
const MOST_AT_ONCE = 100;

/** Takes away names that go by themselves: expired ones, and those beyond what a library keeps of each. */
export class PassingNames {
  readonly #deps: PassingNamesDeps;

  constructor(deps: PassingNamesDeps) {
    this.#deps = deps;
  }

  /** Those of all libraries. */
  async passAll(): Promise<void> {
    const { store, clock } = this.#deps;
    const libraries = await store.read(async (db) => {
      const [expiring, rules] = [await selectExpiringLibraries(db, clock()), await selectKeepRules(db)];
      return new Set([...expiring, ...rules.map(({ library }) => library), SHARED_LIBRARY]);
    });
    for (const library of libraries) await this.pass(library, HPSD);
  }

  /** Those of one library, in the name of `who`; with the packs that no image is read from after it. */
  async pass(library: string, who: AuditActor): Promise<Passing> {
    const { store, clock, audit } = this.#deps;
    const before = await store.read((db) => selectPacks(db, [library]));
    const passed: PassingName[] = [];
    for (let isMore = true; isMore; ) {
      const some = await store.write(async (tx) => {
        const names = (await this.#plan(tx, library)).slice(0, MOST_AT_ONCE);
        for (const image of names) {
          const { id, name, digest, reason } = image;
          await releaseImage(tx, image, clock());
          const subject = { target: `image:${id}`, clusterId: library === SHARED_LIBRARY ? null : library };
          await audit.allowed(tx, who, { ...subject, reason: REASONS[reason], details: { name, digest } });
        }
        return names;
      });
      passed.push(...some);
      isMore = some.length === MOST_AT_ONCE;
    }
    const left = new Set((await store.read((db) => selectPacks(db, [library]))).map(({ digest }) => digest));
    return { names: passed, packs: before.filter(({ digest }) => !left.has(digest)) };
  }

  /** What `pass` would do in a cluster's library, or in the shared one: undefined; with `keep` above 0, if that were the rule. */
  async preview(clusterId: string | undefined, keep: number): Promise<Passing> {
    const library = clusterId ?? SHARED_LIBRARY;
    return await this.#deps.store.read(async (db) => {
      const names = await this.#plan(db, library, keep);
      const gone = new Set(names.flatMap(({ last, digest }) => (last ? [digest] : [])));
      const readers = await selectPackReaders(db, library);
      const left = readers.filter((reader) => reader.library !== library || !gone.has(reader.digest));
      const needed = new Set(left.flatMap(({ packs }) => packs.map((pack) => `${pack.library}/${pack.digest}`)));
      const packs = await selectPacks(db, [library]);
      return { names, packs: packs.filter(({ digest }) => !needed.has(`${library}/${digest}`)) };
    });
  }

  async #plan(db: Db, library: string, keep = 0): Promise<readonly PassingName[]> {
    const { clock } = this.#deps;
    return await planPassing(await selectNames(db, library), {
      ...{ now: clock(), keep: keep || (await this.#ruleOf(db, library)) },
      isUsed: (image) => isUsed(db, image),
    });
  }

  async #ruleOf(db: Db, library: string): Promise<number> {
    if (library === SHARED_LIBRARY) return this.#deps.sharedTags;
    const [rule] = await selectKeepRules(db, library);
    return rule?.keep ?? 0;
  }
}
