import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import { roundSize } from "../../../proto/values/size.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import {
  deleteImage,
  type ImageQuery,
  insertImage,
  isDigestNamed,
  type NamedImageRow,
  selectImage,
  selectImageFiles,
  selectImages,
  selectOpenUseOf,
} from "../../store/images.ts";
import type { Located } from "../../store/lookup.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import type { FileWish, StoredFile } from "../files/incoming-file.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import { actorOf, type Caller } from "../identity/principal.ts";
import { pageOf } from "../page.ts";
import type { ImageFiles } from "./image-files.ts";
import type { ImageOrder } from "./image-order.ts";

export type ImageView = NamedImageRow;

export interface ImagePage {
  readonly images: readonly ImageView[];
  /** What the next page begins after; absent on the last. */
  readonly next?: { readonly cluster: string; readonly name: string };
}

export interface ImagesDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly files: ImageFiles;
  /** The largest archive that is taken, in bytes. */
  readonly maxBytes: number;
  /** What failed after the answer was decided. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** Each cluster's images. The archives are files, one for all images that are the same; a row names each. */
export class Images {
  readonly #deps: ImagesDeps;
  /** Between a file and the rows that name it nobody comes. Short: archives arrive outside. */
  readonly #filing = new OneAtATime();

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  /** `not-found` for a name the cluster has not, never a neighbour. */
  async get({ clusterId }: Located, name: string): Promise<ImageView> {
    const found = await this.#deps.store.read((db) => selectImage(db, clusterId, name));
    if (found === undefined) throw noImage(name);
    return found;
  }

  /** Where its archive lies. */
  file({ digest, sizeBytes }: FileWish): StoredFile {
    return { digest, sizeBytes, path: this.#deps.files.pathOf(digest) };
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
    { clusterId }: Located,
    order: ImageOrder,
    data: AsyncIterable<Uint8Array>,
  ): Promise<ImageView> {
    const known = await this.#deps.store.read((db) => selectImage(db, clusterId, order.name));
    if (known !== undefined) refuseOther(known, order);
    if (known !== undefined && (await this.#deps.files.has(known))) return known;
    this.#refuseLarge(order);
    const arrived = await this.#deps.files.receive(order, `image ${order.name}`, data);
    try {
      return await this.#filing.run(async () => {
        await arrived.keep();
        return await this.#name(caller, clusterId, order);
      });
    } finally {
      await arrived.discard();
      await this.#removeUnlessNamed(order.digest);
    }
  }

  /** `precondition` while an installation that has not ended is of it. */
  async delete(caller: Caller, { clusterId }: Located, name: string): Promise<void> {
    const { store, audit } = this.#deps;
    const digest = await store.write(async (tx) => {
      const image = await selectImage(tx, clusterId, name);
      if (image === undefined) throw noImage(name);
      const user = await selectOpenUseOf(tx, clusterId, name);
      if (user !== undefined) throw inUse(name, user);
      await deleteImage(tx, image.id);
      const subject = { target: `image:${image.id}`, clusterId, details: { name, digest: image.digest } };
      await audit.allowed(tx, actorOfCaller(caller), subject);
      return image.digest;
    });
    await this.#removeUnlessNamed(digest);
  }

  /** At the start: removes files that no image names, and what never arrived whole. Answers what is missing. */
  async recover(): Promise<readonly string[]> {
    const named = await this.#deps.store.read((db) => selectImageFiles(db));
    return await this.#deps.files.recover(named);
  }

  async #name(caller: Caller, clusterId: string, order: ImageOrder): Promise<ImageView> {
    const { store, clock } = this.#deps;
    return await store.write(async (tx) => {
      const known = await selectImage(tx, clusterId, order.name);
      if (known !== undefined) {
        // Somebody was faster, or its file had been lost.
        refuseOther(known, order);
        await this.#imported(tx, caller, known);
        return known;
      }
      const by = caller.principal.kind === "operator" ? caller.principal.name : actorOf(caller);
      await insertImage(tx, { id: newUuid(), clusterId, ...order, importedBy: by, createdAt: clock() });
      const made = await selectImage(tx, clusterId, order.name);
      if (made === undefined) throw noImage(order.name);
      await this.#imported(tx, caller, made);
      return made;
    });
  }

  async #imported(tx: Tx, caller: Caller, { id, clusterId, name, digest, sizeBytes }: ImageView): Promise<void> {
    const details = { name, digest, bytes: String(sizeBytes) };
    await this.#deps.audit.allowed(tx, actorOfCaller(caller), { target: `image:${id}`, clusterId, details });
  }

  /** A file that stays behind costs room until hpsd starts again, and nothing else. */
  async #removeUnlessNamed(digest: string): Promise<void> {
    const { store, files, onError } = this.#deps;
    await this.#filing
      .run(async () => {
        if (!(await store.read((db) => isDigestNamed(db, digest)))) await files.remove(digest);
      })
      .catch(onError);
  }

  #refuseLarge({ name, sizeBytes }: ImageOrder): void {
    const { maxBytes } = this.#deps;
    if (sizeBytes <= maxBytes) return;
    throw new HpsError("exhausted", `image ${name} has ${roundSize(sizeBytes)}, more than hpsd takes`, {
      hint: `limits.imageSize of hpsd's configuration is ${roundSize(maxBytes)}`,
    });
  }
}

function refuseOther(known: ImageView, order: ImageOrder): void {
  if (known.digest === order.digest) return;
  throw new HpsError("exists", `image ${order.name} is there already, with other content`, {
    hint: "images never change: give this one another tag",
    details: { digest: known.digest },
  });
}

function noImage(name: string): HpsError {
  return new HpsError("not-found", `no image ${safeText(name)}`, { hint: "hpsctl image ls shows what there is" });
}

function inUse(name: string, installation: string): HpsError {
  return new HpsError("precondition", `image ${safeText(name)} is being installed by ${installation}`, {
    hint: "wait for the end of that installation, or cancel it",
    details: { installation },
  });
}
