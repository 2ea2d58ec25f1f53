import { rm } from "node:fs/promises";
import type { HpsStore } from "../../store/database.ts";
import { SHARED_LIBRARY } from "../../store/images.ts";
import {
  deleteDelta,
  type LibraryImage,
  selectLibraryDeltas,
  selectLibraryImages,
  updatePackDamage,
} from "../../store/library-contents.ts";
import { type PackReader, selectPackReaders } from "../../store/pack-readers.ts";
import { type PackRow, selectPacks } from "../../store/packs.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { FileWish } from "../files/incoming-file.ts";
import type { Filing } from "./filing.ts";
import { type LibraryPart, partOf, placeOf } from "./library-files.ts";
import { subjectOf } from "./library-subject.ts";
import { inThread } from "./library-thread.ts";
import type { FileVerdict } from "./verify-file.ts";

export interface VerifierDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly filing: Filing;
}

/** One thing that was looked at: a file, or an image as a whole. */
export interface Verified extends Pick<FileVerdict, "problems"> {
  readonly kind: LibraryPart | "image";
  /** `orphan`: no row names the file; `arriving`: neither, for it is being made just now. */
  readonly state: FileVerdict["state"] | "orphan" | "arriving";
  /** Empty for a file that is called otherwise. */
  readonly digest: string;
  /** Below the folder of images; empty for an image as a whole. */
  readonly file: string;
  readonly sizeBytes: number;
  /** References of the library's images that need it. */
  readonly images: readonly string[];
}

interface Expected extends FileWish {
  readonly part: LibraryPart;
  readonly images: readonly string[];
}

const WHAT = "verifying a library";
const UNNAMED = {
  arriving: "it is being made just now",
  orphan: "nothing names it: hpsctl image gc removes it",
  foreign: "it is none of hpsd's files, which leaves it alone: remove it if it is none of yours",
} as const;

/**
 * Reads all that a library holds. What a damaged pack holds counts as lacking from then on, so that an import brings it again; a
 * damaged manifest, archive or delta is good for nothing and removed, for the same.
 */
export class Verifier {
  readonly #deps: VerifierDeps;

  constructor(deps: VerifierDeps) {
    this.#deps = deps;
  }

  /** Of a cluster, or of all: undefined. File by file, then image by image. What is found counts when it ends, also early. */
  async *verify(clusterId: string | undefined, who: AuditActor): AsyncGenerator<Verified> {
    const library = clusterId ?? SHARED_LIBRARY;
    const { images, packs, files, readers } = await this.#contents(library);
    using _ = this.#deps.filing.pin(packs.map(({ digest }) => digest));
    const found: Verified[] = [];
    try {
      for (const { part, images: own, ...wish } of files) {
        const file = this.#deps.filing.files.stored(part, wish);
        const verdict = await inThread<"verify">({ kind: "verify", part, file }, { what: WHAT });
        if (verdict.state !== "whole" && !(await this.#isWanted(library, part, wish.digest))) continue;
        const verified = { kind: part, ...wish, file: placeOf(part, wish.digest), images: own, ...verdict };
        found.push(verified);
        yield verified;
      }
      yield* this.#wholeImages(images, packs, readers);
      yield* await this.#unnamed();
    } finally {
      await this.#note(library, found, who);
    }
  }

  /** What lies there for nobody, of all libraries: they have one folder. */
  async #unnamed(): Promise<readonly Verified[]> {
    return (await this.#deps.filing.unnamed()).map(({ part, name, sizeBytes, state }) => ({
      ...{
        kind: part,
        digest: /^[0-9a-f]{64}$/.test(name) ? name : "",
        file: placeOf(part, name),
        sizeBytes,
        images: [],
      },
      ...{ state: state === "foreign" ? "orphan" : state, problems: [UNNAMED[state]] },
    }));
  }

  async #contents(library: string) {
    return await this.#deps.store.read(async (db) => {
      const images = await selectLibraryImages(db, library);
      const packs = await selectPacks(db, [library]);
      const readers = await selectPackReaders(db, library);
      const refs = new Map(images.map((image) => [image.digest, refsOf(image)]));
      const own = images.map(({ digest, sizeBytes, format }) => ({
        ...{ part: partOf(format), digest, sizeBytes, images: refs.get(digest) ?? [] },
      }));
      const stored = packs.map(({ digest, sizeBytes }): Expected => {
        const needing = readers.filter((reader) => reader.packs.some((pack) => pack.digest === digest));
        const names = needing.flatMap((reader) => (reader.library === library ? (refs.get(reader.digest) ?? []) : []));
        return { part: "packs", digest, sizeBytes, images: names };
      });
      const deltas = (await selectLibraryDeltas(db, library)).map(({ digest, sizeBytes, target }): Expected => {
        return { part: "deltas", digest, sizeBytes, images: refs.get(target) ?? [] };
      });
      return { images, packs, readers, files: [...own, ...stored, ...deltas] };
    });
  }

  /** What went away meanwhile is not missing. */
  async #isWanted(library: string, part: LibraryPart, digest: string): Promise<boolean> {
    return await this.#deps.store.read(async (db) => {
      if (part === "packs") return (await selectPacks(db, [library])).some((pack) => pack.digest === digest);
      const rows = part === "deltas" ? await selectLibraryDeltas(db, library) : await selectLibraryImages(db, library);
      return rows.some((row) => row.digest === digest);
    });
  }

  /** Whether the packs of each image have all of its objects, by their indexes. */
  async *#wholeImages(
    images: readonly LibraryImage[],
    packs: readonly PackRow[],
    readers: readonly PackReader[],
  ): AsyncGenerator<Verified> {
    const { files } = this.#deps.filing;
    const further = readers.flatMap((reader) => reader.packs);
    const all = [...new Map([...packs, ...further].map((pack) => [pack.digest, pack])).values()];
    const numbers = new Map(all.map(({ digest }, at) => [digest, at]));
    const read = images.flatMap((image) => {
      const reader = readers.find(({ digest }) => digest === image.digest);
      return reader === undefined ? [] : [{ image, reader }];
    });
    if (read.length === 0) return;
    const asked = read.map(({ image, reader }) => ({
      manifest: files.stored("manifests", image),
      packs: reader.packs.flatMap(({ digest }) => numbers.get(digest) ?? []),
    }));
    const stored = all.map((pack) => files.stored("packs", pack));
    const life = await inThread<"life">({ kind: "life", images: asked, packs: stored }, { what: WHAT });
    for (const [at, { image }] of read.entries()) {
      const missing = life.images[at]?.missing ?? 0;
      const problems = missing > 0 ? [`${missing} of its objects are in none of its packs`] : [];
      const state = problems.length > 0 ? "damaged" : "whole";
      if (missing < 0) continue;
      const { digest, sizeBytes } = image;
      yield { kind: "image", digest, file: "", sizeBytes, images: refsOf(image), state, problems };
    }
  }

  async #note(library: string, found: readonly Verified[], who: AuditActor): Promise<void> {
    const { store, clock, audit, filing } = this.#deps;
    const damaged = found.filter(({ state }) => state === "damaged");
    await filing.run(async () => {
      for (const { kind, digest } of damaged) {
        if (kind !== "packs" && kind !== "image") await rm(filing.files.part(kind).pathOf(digest), { force: true });
      }
      await store.write(async (tx) => {
        const news: string[] = [];
        for (const { kind, digest, state } of found) {
          if (kind === "deltas" && state !== "whole" && state !== "unread") await deleteDelta(tx, digest);
          if (kind !== "packs" || state === "unread") continue;
          const isNews = await updatePackDamage(tx, digest, state === "whole" ? null : clock());
          if (isNews && state !== "whole") news.push(digest);
        }
        const others = damaged.filter(({ kind }) => kind !== "packs").map(({ digest }) => digest);
        if (news.length + others.length === 0) return;
        const details = {
          damaged: [...news, ...others].slice(0, 20).join(" "),
          count: String(news.length + others.length),
        };
        await audit.allowed(tx, who, { ...subjectOf(library), details });
      });
    });
  }
}

function refsOf({ digest, names }: LibraryImage): readonly string[] {
  return names.length > 0 ? names : [`sha256:${digest}`];
}
