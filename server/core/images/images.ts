import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, parseImageName, parseImageRef } from "../../../proto/values/image-ref.ts";
import { roundSize } from "../../../proto/values/size.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import { selectSignaturesOf } from "../../store/image-trust.ts";
import { type ImageQuery, type NamedImageRow, SHARED_LIBRARY, selectImage, selectImages } from "../../store/images.ts";
import {
  type DeltaRow,
  type IndexedFile,
  type PackRow,
  selectDeltasTo,
  selectPacksOf,
  sumLibrary,
} from "../../store/packs.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import type { FileWish, StoredFile } from "../files/incoming-file.ts";
import { actorOf, type Caller } from "../identity/principal.ts";
import { pageOf } from "../page.ts";
import { CONVENIENCE, type ImageSigner } from "./convenience-key.ts";
import type { Filing } from "./filing.ts";
import { findImage, noImage } from "./find-image.ts";
import { allowanceOf, type ImageLimits, tooLarge } from "./image-limits.ts";
import { isNamed, type NewName, putName, refuseInstalling, releaseImage } from "./image-names.ts";
import type { ImageOrder } from "./image-order.ts";
import { partOf } from "./library-files.ts";

export type ImageView = NamedImageRow;
export type { DeltaRow, IndexedFile, PackRow } from "../../store/packs.ts";

export interface ImagePage {
  readonly images: readonly ImageView[];
  /** What the next page begins after; absent on the last. */
  readonly next?: { readonly cluster: string; readonly name: string };
}

export interface ImagesDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly filing: Filing;
  readonly limits: ImageLimits;
  /** Signs each name, where hpsd keeps a key for that. */
  readonly sign?: ImageSigner;
}

/** What is to get a name. */
export interface TagWish {
  /** The image, by any reference. */
  readonly image: string;
  readonly name: ImageRef;
  readonly move: boolean;
  /** When the name goes by itself, UTC milliseconds; null: never. */
  readonly expiresAt: number | null;
}

/** The images of all libraries. Their bytes are files, one for all images that are the same; a row names each. */
export class Images {
  readonly #deps: ImagesDeps;

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  /** `not-found` for what a cluster can reach neither in its library nor in the shared one, never a neighbour. */
  async get(clusterId: string | undefined, text: string): Promise<ImageView> {
    const ref = parseImageRef(text);
    const found = await this.#deps.store.read((db) => findImage(db, clusterId, ref));
    if (found === undefined) throw noImage(ref);
    return found;
  }

  /** What an image of packs is read from, in the order in which they are asked for an object. */
  async packsOf(image: ImageView): Promise<readonly PackRow[]> {
    return await this.#deps.store.read((db) => selectPacksOf(db, image));
  }

  /** What makes it out of other images. */
  async deltasOf(image: ImageView): Promise<readonly DeltaRow[]> {
    return await this.#deps.store.read((db) => selectDeltasTo(db, image));
  }

  /** What keys said about it: statements with their signatures, the newest first. */
  async signaturesOf(image: ImageView): Promise<readonly Uint8Array[]> {
    return await this.#deps.store.read((db) => selectSignaturesOf(db, image));
  }

  /** Where its archive or manifest lies. */
  file({ format, ...file }: FileWish & Pick<ImageView, "format">): StoredFile {
    return this.#deps.filing.files.stored(partOf(format), file);
  }

  /** Where a pack or delta lies. */
  indexedFile({ kind, ...file }: IndexedFile & { readonly kind: "pack" | "delta" }): StoredFile {
    return this.#deps.filing.files.stored(kind === "pack" ? "packs" : "deltas", file);
  }

  /** By cluster and name. */
  async list(query: ImageQuery): Promise<ImagePage> {
    const found = await this.#deps.store.read((db) => selectImages(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit);
    return { images: items, ...(last && { next: { cluster: last.cluster, name: last.name } }) };
  }

  /**
   * Stores the archive that `data` brings. The same archive under the same name is answered with the image that is there,
   * and `data` is left unread. `exists` when the name is another's, `invalid` when what comes is not what was announced,
   * `exhausted` without room: then nothing is kept.
   */
  async import(
    caller: Caller,
    clusterId: string,
    order: ImageOrder,
    data: AsyncIterable<Uint8Array>,
  ): Promise<ImageView> {
    const { store, filing, clock, limits } = this.#deps;
    const archives = filing.files.part("archives");
    const image = { ...order, library: clusterId, importedBy: importerOf(caller), createdAt: clock(), expiresAt: null };
    const [known, allowed] = await store.read(async (db) => [
      await selectImage(db, clusterId, order.name),
      allowanceOf(await sumLibrary(db, clusterId), limits),
    ]);
    if (isNamed(known, image, false) && (await archives.has(known))) return known;
    const { name, sizeBytes } = order;
    if (sizeBytes > allowed.bytes) throw tooLarge(`image ${name} has ${roundSize(sizeBytes)}`, allowed);
    const arrived = await archives.receive(order, `image ${name}`, data);
    try {
      return await filing.run(async () => {
        await arrived.keep();
        return await store.write((tx) => this.name(tx, caller, image, false));
      });
    } finally {
      await arrived.discard();
      await filing.collect();
    }
  }

  /** Gives the image its name, in the caller's transaction, and tells the audit log what it stood for before. */
  async name(tx: Tx, caller: Caller, image: NewName, move: boolean): Promise<ImageView> {
    const { clock, audit } = this.#deps;
    const before = await selectImage(tx, image.library, image.name);
    const made = await putName(tx, image, { move, now: clock() });
    const moved = before !== undefined && before.digest !== made.digest && { movedFrom: before.digest };
    const until = made.expiresAt !== null && { expires: new Date(made.expiresAt).toISOString() };
    const signed = (await this.#deps.sign?.(tx, made)) === true && { signed: CONVENIENCE };
    const what = { name: made.name, digest: made.digest, bytes: String(made.sizeBytes) };
    const details = { ...what, ...moved, ...until, ...signed };
    await audit.allowed(tx, actorOfCaller(caller), { ...subjectOf(made), details });
    return made;
  }

  /** Gives an image one more name in its library; `exists` when the name is another's and is not to be moved. */
  async tag(caller: Caller, clusterId: string | undefined, wish: TagWish): Promise<ImageView> {
    const { store, filing } = this.#deps;
    const { name, move, expiresAt } = wish;
    const ref = parseImageRef(wish.image);
    const library = clusterId ?? SHARED_LIBRARY;
    const tagged = await store.write(async (tx) => {
      const image = await findImage(tx, clusterId, ref);
      if (image === undefined) throw noImage(ref);
      if (image.library !== library) throw ofOtherLibrary(ref);
      const { cluster: _, ...row } = image;
      return await this.name(tx, caller, { ...row, name, expiresAt }, move);
    });
    if (move) await filing.collect();
    return tagged;
  }

  /**
   * Takes a name away. `precondition` while it is the last of an image that is being installed; what a host runs is kept,
   * without a name.
   */
  async delete(caller: Caller, clusterId: string | undefined, text: string): Promise<void> {
    const { store, audit, clock, filing } = this.#deps;
    const { name } = parseImageName(text);
    await store.write(async (tx) => {
      const image = await selectImage(tx, clusterId ?? SHARED_LIBRARY, name);
      if (image === undefined) throw noImage(name);
      await refuseInstalling(tx, image);
      await releaseImage(tx, image, clock());
      await audit.allowed(tx, actorOfCaller(caller), { ...subjectOf(image), details: { name, digest: image.digest } });
    });
    await filing.collect();
  }

  /** At the start: removes files that no image names, and what never arrived whole. Answers what is missing. */
  async recover(): Promise<readonly string[]> {
    return await this.#deps.filing.recover();
  }
}

/** Who brought an image, as it is shown. */
export function importerOf(caller: Caller): string {
  return caller.principal.kind === "operator" ? caller.principal.name : actorOf(caller);
}

function subjectOf({ id, library }: ImageView) {
  return { target: `image:${id}`, clusterId: library === SHARED_LIBRARY ? null : library };
}

function ofOtherLibrary(ref: string): HpsError {
  return new HpsError("precondition", `image ${ref} is of another library than the name it is to get`, {
    hint: "a name stands in the library of its image: import the image into the other library too",
  });
}
