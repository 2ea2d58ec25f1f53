import { holdBufferRoom } from "../../../proto/flow/buffer-room.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import {
  type NamedImageRow,
  SHARED_LIBRARY,
  selectImage,
  selectImageByDigest,
  selectStoredSize,
  updateStoredSize,
} from "../../store/images.ts";
import {
  claimPacks,
  insertPack,
  librariesOf,
  type PackKey,
  type PackRow,
  replacePacksOf,
  selectPacks,
  selectPacksOf,
  sumLibrary,
} from "../../store/packs.ts";
import type { Clock } from "../audit/audit.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import type { Caller } from "../identity/principal.ts";
import type { Filing } from "./filing.ts";
import { allowanceOf, type ImageLimits } from "./image-limits.ts";
import { isNamed } from "./image-names.ts";
import { type Images, type ImageView, importerOf } from "./images.ts";
import { IncomingUpload } from "./incoming-upload.ts";
import type { WrittenPack } from "./pack-writer.ts";
import type { UploadOrder, UploadParts } from "./upload-order.ts";
import { UploadRoom } from "./upload-room.ts";
import { UploadThread } from "./upload-thread.ts";
import type { UploadPlan } from "./upload-work.ts";

/** Each has a thread. */
const MOST_UPLOADS = 8;

export interface UploadsDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly filing: Filing;
  readonly images: Pick<Images, "name">;
  readonly limits: ImageLimits;
}

/** In whose name, into which library. */
export interface UploadTarget {
  readonly caller: Caller;
  /** Undefined: the shared one. */
  readonly clusterId: string | undefined;
}

/** What the sender is told. */
export type UploadAnswer =
  | { readonly kind: "wanted"; readonly plan: UploadPlan }
  | { readonly kind: "image"; readonly image: ImageView };

/** Takes images of packs: only what the library lacks, or wants again so that the image can be read in long runs. */
export class Uploads {
  readonly #deps: UploadsDeps;
  /** What a manifest takes of memory while it is looked through, one takes at a time. */
  readonly #planning = new OneAtATime();
  #running = 0;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  /**
   * Answers what is to be sent, then the image; an image that is there is answered at once, and nothing is read. `exists` when
   * the name is another's and is not to be moved, `invalid` for what is not as announced, `exhausted` without room: then
   * nothing is kept.
   */
  async *take(target: UploadTarget, order: UploadOrder, parts: UploadParts): AsyncGenerator<UploadAnswer> {
    const known = await this.#known(target, order);
    if (known !== undefined) {
      yield { kind: "image", image: known };
      return;
    }
    if (this.#running >= MOST_UPLOADS) {
      throw new HpsError("exhausted", `${MOST_UPLOADS} images are on their way to hpsd already`, {
        hint: "try again when one of them is done",
      });
    }
    this.#running += 1;
    try {
      yield* this.#receive(target, order, parts);
    } finally {
      this.#running -= 1;
    }
  }

  async *#receive(target: UploadTarget, order: UploadOrder, parts: UploadParts): AsyncGenerator<UploadAnswer> {
    const { store, filing, limits } = this.#deps;
    const what = `image ${order.name}`;
    const [library, allowed] = await store.read(async (db) => [
      // What a damaged pack holds is brought again.
      (await selectPacks(db, librariesFor(target.clusterId))).filter(({ damagedAt }) => damagedAt === null),
      allowanceOf(await sumLibrary(db, target.clusterId ?? SHARED_LIBRARY), limits),
    ]);
    using _ = filing.pin(library.map(({ digest }) => digest));
    using _buffers = holdBufferRoom();
    using room = new UploadRoom(filing.files.room, what);
    await using incoming = new IncomingUpload(filing);
    await room.need(order.manifestBytes, order.manifestBytes);
    const files = library.map((pack) => filing.files.stored("packs", pack));
    const { digest, manifestBytes } = order;
    await using thread = new UploadThread({ ...incoming.paths, what, digest, manifestBytes, allowed, library: files });
    for await (const piece of parts.manifest(manifestBytes)) await thread.manifest(piece);
    const plan = await this.#planning.run(async () => await thread.plan());
    await room.expect(plan.wantedBytes);
    yield { kind: "wanted", plan };
    await receiveFrames(thread, room, plan, parts);
    const packs = incoming.finished(await thread.finish());
    const arrived = { packs, plan, library: plan.library.flatMap((at) => library[at] ?? []) };
    const image = await filing.run(async () => {
      const sizeBytes = await incoming.keep(order, await store.read((db) => selectStoredSize(db, digest)));
      return await store.write((tx) => this.#write(tx, target, { ...order, ...arrived, sizeBytes }));
    });
    yield { kind: "image", image };
  }

  /** The image when it is there, whole, under this name or any other: then it gets the name. */
  async #known({ caller, clusterId }: UploadTarget, order: UploadOrder): Promise<ImageView | undefined> {
    const { store, filing, images } = this.#deps;
    const library = clusterId ?? SHARED_LIBRARY;
    return await filing.run(async () => {
      const { named, held, packs } = await store.read(async (db) => await lookUp(db, clusterId, order));
      const isThere = isNamed(named, order, order.move);
      if (held === undefined || !(await isWhole(filing, held, packs))) return undefined;
      if (isThere && named.expiresAt === order.expiresAt) return named;
      return await store.write(async (tx) => {
        const { cluster: _, ...row } = held;
        const { name, expiresAt, move } = order;
        if ((await claimPacks(tx, packs)).length < packs.length) throw wentAway(order);
        await replacePacksOf(tx, { library, digest: order.digest }, packs);
        return await images.name(tx, caller, { ...row, library, name, expiresAt }, move);
      });
    });
  }

  async #write(tx: Tx, { caller, clusterId }: UploadTarget, arrived: Arrived): Promise<ImageView> {
    const { clock, images } = this.#deps;
    const library = clusterId ?? SHARED_LIBRARY;
    const createdAt = clock();
    const made: PackKey[] = [];
    for (const { path: _, ...pack } of arrived.packs) {
      await insertPack(tx, { ...pack, library, createdAt });
      made.push({ library, digest: pack.digest });
    }
    const claimed = await claimPacks(tx, arrived.library);
    if (claimed.length < arrived.library.length) throw wentAway(arrived);
    const { name, digest, sizeBytes, lacks, system, kernel, expiresAt, move } = arrived;
    await replacePacksOf(tx, { library, digest }, [...made, ...claimed]);
    await updateStoredSize(tx, digest, sizeBytes);
    const { contentBytes, entries } = arrived.plan;
    const image = { library, name, digest, sizeBytes, format: "packs" as const, contentBytes, entries };
    const found = { lacks, system, kernel, importedBy: importerOf(caller), createdAt, expiresAt };
    return await images.name(tx, caller, { ...image, ...found }, move);
  }
}

/** An upload that is whole, and not in the store yet. */
interface Arrived extends UploadOrder {
  readonly packs: readonly WrittenPack[];
  readonly plan: UploadPlan;
  /** What of the library the image is read from too. */
  readonly library: readonly PackRow[];
  /** Of the manifest's file. */
  readonly sizeBytes: number;
}

/** What whoever installs an image of this library may read. */
function librariesFor(clusterId: string | undefined): readonly string[] {
  return clusterId === undefined ? [SHARED_LIBRARY] : librariesOf(clusterId);
}

async function lookUp(db: Db, clusterId: string | undefined, { name, digest }: UploadOrder) {
  const named = await selectImage(db, clusterId ?? SHARED_LIBRARY, name);
  const found = await selectImageByDigest(db, librariesFor(clusterId), digest);
  const held = found?.format === "packs" ? found : undefined;
  return { named, held, packs: held === undefined ? [] : await selectPacksOf(db, held) };
}

async function isWhole({ files }: Filing, image: NamedImageRow, packs: readonly PackRow[]): Promise<boolean> {
  const there = await Promise.all(
    packs.map(async (pack) => pack.damagedAt === null && (await files.part("packs").has(pack))),
  );
  return there.every(Boolean) && (await files.part("manifests").has(image));
}

/** One frame is checked while the next one comes. */
async function receiveFrames(
  thread: UploadThread,
  room: UploadRoom,
  { wantedBytes }: UploadPlan,
  parts: UploadParts,
): Promise<void> {
  let left = wantedBytes;
  let checked: Promise<unknown> = Promise.resolve();
  for (;;) {
    const frame = await parts.frame();
    await checked;
    if (frame === undefined) return;
    await room.need(frame.bytes.length, left);
    left -= Math.min(frame.rawBytes, left);
    checked = thread.frame(frame);
    // It is awaited with the next frame.
    checked.catch(() => undefined);
  }
}

function wentAway({ name }: UploadOrder): HpsError {
  return new HpsError("unavailable", `packs that image ${name} is made of went away meanwhile`, {
    hint: "send it again",
  });
}
