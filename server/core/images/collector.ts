import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";
import { SHARED_LIBRARY } from "../../store/images.ts";
import {
  type PackReader,
  selectLibrariesWithPacks,
  selectPackReaders,
  selectRetiredBytes,
} from "../../store/pack-readers.ts";
import { type PackKey, type PackRow, selectPacks } from "../../store/packs.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import { type CollectionPlan, newReadings, planCollection } from "./collection-plan.ts";
import { type CollectionChange, fileCollection, type LibraryLook } from "./file-collection.ts";
import type { Filing } from "./filing.ts";
import { IncomingPacks } from "./incoming-packs.ts";
import { subjectOf } from "./library-subject.ts";
import { inThread, type ThreadOptions } from "./library-thread.ts";
import type { LibraryLife } from "./pack-life.ts";
import type { PassingNames } from "./passing-names.ts";
import type { PassingName } from "./passing-plan.ts";
import type { Repacked } from "./repack.ts";

export interface CollectorDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly filing: Filing;
  readonly names: PassingNames;
}

/** What came of it. */
export interface Collected {
  /** Names that went by themselves before. */
  readonly names: readonly PassingName[];
  /** Packs that nothing is read from any more. */
  readonly retiredPacks: number;
  readonly retiredBytes: number;
  /** What was still needed of them. */
  readonly madePacks: number;
  readonly madeBytes: number;
  /** Retired now or before, and on the disk until nobody can still be reading it. */
  readonly waitingBytes: number;
  /** Packs that cannot be read: nothing of them was given up. */
  readonly damaged: readonly string[];
}

type Done = Omit<Collected, "waitingBytes" | "names">;

const WHAT = "collecting what no image needs";
const HPSD: AuditActor = { actor: "hpsd", action: "image.collect", address: "" };

/**
 * Retires packs that nothing is read from, and makes new ones of what is needed of those that are mostly waste. Images are read
 * from the new packs from one transaction on, and only those that are still read from what was looked at: what comes
 * meanwhile keeps what it has, and old packs stay until nobody can still be reading them.
 */
export class Collector {
  readonly #deps: CollectorDeps;
  readonly #jobs = new OneAtATime();
  /** What each library was when nothing was left to be done in it. */
  readonly #done = new Map<string, string>();

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  /** Of a cluster, or of all: undefined. Names that go by themselves go first. One at a time. `exhausted` when there is no room for the new packs: then nothing has changed. */
  async collect(clusterId: string | undefined, who: AuditActor, signal?: AbortSignal): Promise<Collected> {
    const library = clusterId ?? SHARED_LIBRARY;
    return await this.#jobs.run(async () => {
      const passed = await this.#deps.names.pass(library, who);
      const done = await this.#collect(await this.#look(library), who, signal);
      await this.#deps.filing.collect();
      const retired = {
        retiredPacks: passed.packs.length + done.retiredPacks,
        retiredBytes: bytesOf(passed.packs) + done.retiredBytes,
      };
      return {
        names: passed.names,
        ...done,
        ...retired,
        waitingBytes: await this.#deps.store.read((db) => selectRetiredBytes(db, library)),
      };
    });
  }

  /** Every library in which anything has changed since the last time. */
  async collectAll(signal: AbortSignal): Promise<void> {
    await this.#deps.filing.collect();
    for (const library of await this.#deps.store.read((db) => selectLibrariesWithPacks(db))) {
      await this.#jobs.run(async () => {
        const look = await this.#look(library);
        if (signal.aborted || this.#done.get(library) === stateOf(look)) return;
        const done = await this.#collect(look, HPSD, signal).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
        if (done?.madePacks === 0 && done.retiredPacks === 0) this.#done.set(library, stateOf(look));
      });
    }
  }

  async #look(library: string): Promise<LibraryLook> {
    return await this.#deps.store.read(async (db) => {
      const own = await selectPacks(db, [library]);
      const images = await selectPackReaders(db, library);
      const others = new Map(
        images.flatMap(({ packs }) =>
          packs.filter((pack) => pack.library !== library).map((pack) => [keyOf(pack), pack]),
        ),
      );
      return { library, own: own.length, packs: [...own, ...others.values()], images };
    });
  }

  async #collect(look: LibraryLook, who: AuditActor, signal: AbortSignal | undefined): Promise<Done> {
    const { filing } = this.#deps;
    using _ = filing.pin(look.packs.map(({ digest }) => digest));
    await using incoming = new IncomingPacks(filing.files);
    const options = { signal, what: WHAT };
    const readings = look.images.map((image) => packsToTry(image, look.packs));
    const life = await this.#life(look, [], readings, options);
    const plan = planCollection(life, look.own);
    const repacked = await this.#repack(look, plan, incoming.path, options);
    incoming.finished(repacked.made);
    const change = { look, made: repacked.made, readings: newReadings(life, plan, repacked) };
    if (repacked.made.length > 0) {
      // No image is led to packs from which it could not be read as well as before.
      const then = await this.#life(look, repacked.made, change.readings, options);
      if (then.images.some(({ missing }, at) => missing > (life.images[at]?.missing ?? 0))) {
        throw new HpsError("internal", `${WHAT}: the new packs lack objects that the old ones have`);
      }
    }
    const damaged = look.packs.filter((__, at) => life.packs[at]?.live === undefined);
    const unmoved = plan.repacked.flatMap(({ pack }, at) => (repacked.moved[at] === undefined ? look.packs[pack] : []));
    const unread = [...damaged, ...unmoved].flatMap((pack) => pack?.digest ?? []);
    return { ...(await this.#file(change, incoming, who)), damaged: unread };
  }

  async #life(
    { packs, images }: LibraryLook,
    made: Repacked["made"],
    readings: readonly (readonly number[])[],
    options: ThreadOptions,
  ): Promise<LibraryLife> {
    const { files } = this.#deps.filing;
    const stored = [...packs.map((pack) => files.stored("packs", pack)), ...made];
    const read = images.map((image, at) => ({
      manifest: files.stored("manifests", image),
      packs: readings[at] ?? [],
    }));
    return await inThread<"life">({ kind: "life", images: read, packs: stored }, options);
  }

  async #repack(
    { packs }: LibraryLook,
    { repacked, bytes }: CollectionPlan,
    path: string,
    options: ThreadOptions,
  ): Promise<Repacked> {
    if (repacked.length === 0) return { made: [], moved: [] };
    const { files } = this.#deps.filing;
    const arrival = await files.room.take(bytes, WHAT);
    try {
      const old = repacked.flatMap(({ pack, live }) => {
        const row = packs[pack];
        return row === undefined ? [] : [{ file: files.stored("packs", row), live }];
      });
      return await inThread<"repack">({ kind: "repack", packs: old, path }, options);
    } finally {
      arrival.release();
    }
  }

  async #file(change: CollectionChange, incoming: IncomingPacks, who: AuditActor): Promise<Omit<Done, "damaged">> {
    const { store, filing, clock, audit } = this.#deps;
    const { library } = change.look;
    return await filing.run(async () => {
      await incoming.keep();
      return await store.write(async (tx) => {
        const retired = await fileCollection(tx, change, clock());
        const result = {
          ...{ retiredPacks: retired.length, retiredBytes: bytesOf(retired) },
          ...{ madePacks: change.made.length, madeBytes: bytesOf(change.made) },
        };
        const details = Object.fromEntries(Object.entries(result).map(([name, value]) => [name, String(value)]));
        const isAny = result.retiredPacks > 0 || result.madePacks > 0;
        if (isAny || who !== HPSD) await audit.allowed(tx, who, { ...subjectOf(library), details });
        return result;
      });
    });
  }
}

/** Of an image with a damaged pack, first whatever else it may be read from: somebody may have brought it again. */
function packsToTry({ library, packs: own }: PackReader, packs: readonly PackRow[]): readonly number[] {
  const numbers = new Map(packs.map((pack, at) => [keyOf(pack), at]));
  const isSound = ({ damagedAt }: PackRow) => damagedAt === null;
  if (own.every(isSound)) return own.flatMap((pack) => numbers.get(keyOf(pack)) ?? []);
  const others = packs.filter((pack) => isSound(pack) && (pack.library === library || pack.library === SHARED_LIBRARY));
  const tried = new Set([...own.filter(isSound), ...others, ...own].map(keyOf));
  return [...tried].flatMap((key) => numbers.get(key) ?? []);
}

function keyOf({ library, digest }: PackKey): string {
  return `${library}/${digest}`;
}

/** What is to be the same for nothing to be left to do. */
function stateOf({ packs, images }: LibraryLook): string {
  return JSON.stringify([packs.map(keyOf), images.map((image) => [keyOf(image), image.packs.map(keyOf)])]);
}

function bytesOf(packs: readonly { readonly sizeBytes: number }[]): number {
  return packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
