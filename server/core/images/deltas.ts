import { rm } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseImageRef } from "../../../proto/values/image-ref.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import { type NamedImageRow, SHARED_LIBRARY, selectImageByDigest, selectNewestTag } from "../../store/images.ts";
import { type DeltaRow, insertDelta, selectDeltasTo, selectPacksOf } from "../../store/packs.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import type { Filing } from "./filing.ts";
import { findImage, noImage } from "./find-image.ts";
import { subjectOf } from "./library-subject.ts";
import { inThread } from "./library-thread.ts";
import type { WrittenDelta } from "./write-delta.ts";

export interface DeltasDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly filing: Filing;
  /** What failed where nobody waits for an answer. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** By any references. */
export interface DeltaWish {
  readonly base: string;
  readonly target: string;
}

const WHAT = "making a delta";
const HPSD: AuditActor = { actor: "hpsd", action: "image.delta", address: "" };
/** That are made by themselves, one after the other; more are left to whoever asks for them. */
const MOST_WAITING = 16;
/** Of an image's content in files unlike any of the base: beyond, a delta that nobody asked for is not made. */
const MOST_NEW = 0.5;
/** A delta is hardly larger than this part of the image; room for it is asked for before. */
const LIKELY_SIZE = 1 / 8;

/** Makes what turns one image into the next, one at a time. */
export class Deltas {
  readonly #deps: DeltasDeps;
  readonly #jobs = new OneAtATime();
  /** Pairs that are waiting, or that were found not worth it. */
  readonly #tried = new Set<string>();
  #waiting = 0;

  constructor(deps: DeltasDeps) {
    this.#deps = deps;
  }

  /** The delta, made or there. `precondition` when it would save nothing, or an image is no image of packs. */
  async make(clusterId: string | undefined, { base, target }: DeltaWish, who: AuditActor): Promise<DeltaRow> {
    const [from, to] = await Promise.all([this.#image(clusterId, base), this.#image(clusterId, target)]);
    if (to.library !== (clusterId ?? SHARED_LIBRARY)) {
      throw new HpsError("precondition", `image ${target} is of another library than the delta is to be made in`, {
        hint: "a delta stands in the library of the image that it makes: shared/name:tag for the shared one",
      });
    }
    const made = await this.#jobs.run(async () => await this.#make(from, to, { who, mostNew: 1 }));
    if (made !== undefined) return made;
    throw new HpsError("precondition", `a delta from ${base} to ${target} would save nothing`, {
      hint: "hpsctl image diff says what they have in common",
    });
  }

  /** For an image that has arrived, against `base` or the newest other tag of its name: by and by, as long as few wait. */
  offer(image: NamedImageRow, clusterId: string | undefined, base: string): void {
    if (image.format !== "packs" || this.#waiting >= MOST_WAITING) return;
    this.#waiting += 1;
    void this.#jobs
      .run(async () => {
        const from = base === "" ? await this.#before(image) : await this.#image(clusterId, base);
        const pair = `${image.library} ${from?.digest} ${image.digest}`;
        if (from === undefined || this.#tried.has(pair)) return;
        if ((await this.#make(from, image, { who: HPSD, mostNew: MOST_NEW })) === undefined) this.#tried.add(pair);
      })
      .catch((error: unknown) => this.#deps.onError(error))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  /** When all that was offered so far is made. */
  async settled(): Promise<void> {
    await this.#jobs.run(async () => undefined);
  }

  async #before({ library, name, digest }: NamedImageRow): Promise<NamedImageRow | undefined> {
    const title = name.slice(0, name.lastIndexOf(":") + 1);
    return await this.#deps.store.read((db) => selectNewestTag(db, { library, title, except: digest }));
  }

  async #image(clusterId: string | undefined, text: string): Promise<NamedImageRow> {
    const ref = parseImageRef(text);
    const found = await this.#deps.store.read((db) => findImage(db, clusterId, ref));
    if (found === undefined) throw noImage(ref);
    if (found.format === "packs") return found;
    throw new HpsError(
      "precondition",
      `image ${ref} is one archive, and there are deltas between images of packs alone`,
      {
        hint: "import it again without --archive",
      },
    );
  }

  async #make(base: NamedImageRow, target: NamedImageRow, { who, mostNew }: Making): Promise<DeltaRow | undefined> {
    const { store, filing } = this.#deps;
    const { known, packs } = await store.read(async (db) => ({
      known: (await selectDeltasTo(db, target)).find((delta) => delta.base === base.digest),
      packs: { base: await selectPacksOf(db, base), target: await selectPacksOf(db, target) },
    }));
    if (known !== undefined || base.digest === target.digest) return known;
    using _ = filing.pin([...packs.base, ...packs.target].map(({ digest }) => digest));
    const stored = (image: NamedImageRow, own: typeof packs.base) => ({
      manifest: filing.files.stored("manifests", image),
      packs: own.map((pack) => filing.files.stored("packs", pack)),
    });
    const images = { base: stored(base, packs.base), target: stored(target, packs.target) };
    const arrival = await filing.files.room.take(target.contentBytes * LIKELY_SIZE, WHAT);
    const path = filing.files.part("deltas").incoming();
    try {
      const written = await inThread<"delta">({ kind: "delta", ...images, path, mostNew }, { what: WHAT });
      if (written === undefined) return undefined;
      return await filing.run(async () => {
        await filing.files.part("deltas").keep(path, written.digest);
        return await store.write((tx) => this.#write(tx, { base, target, written, who }));
      });
    } finally {
      arrival.release();
      await rm(path, { force: true });
      filing.files.part("deltas").arrived(path);
    }
  }

  async #write(tx: Tx, { base, target, written, who }: Made): Promise<DeltaRow> {
    const { clock, audit } = this.#deps;
    for (const { library, digest, name } of [base, target]) {
      if ((await selectImageByDigest(tx, [library], digest)) === undefined) throw noImage(name);
    }
    const { library } = target;
    const row = { ...written, library, base: base.digest, target: target.digest, createdAt: clock() };
    await insertDelta(tx, row);
    const details = { base: base.digest, target: target.digest, delta: row.digest, bytes: String(row.sizeBytes) };
    await audit.allowed(tx, who, { ...subjectOf(library), details });
    return row;
  }
}

interface Making {
  readonly who: AuditActor;
  readonly mostNew: number;
}

interface Made {
  readonly base: NamedImageRow;
  readonly target: NamedImageRow;
  readonly written: WrittenDelta;
  readonly who: AuditActor;
}
