/** Makes a collection count: in one transaction, and only for images that nobody else has changed meanwhile. */
import type { Tx } from "../../store/database.ts";
import type { PackReader } from "../../store/pack-readers.ts";
import {
  insertPack,
  type PackKey,
  type PackRow,
  replacePacksOf,
  retireUnneededPacks,
  selectPacks,
  selectPacksOf,
} from "../../store/packs.ts";
import type { WrittenPack } from "./pack-writer.ts";

/** What was looked at. */
export interface LibraryLook {
  readonly library: string;
  /** How many of the packs are the library's: the first. */
  readonly own: number;
  readonly packs: readonly PackRow[];
  readonly images: readonly PackReader[];
}

export interface CollectionChange {
  readonly look: LibraryLook;
  readonly made: readonly WrittenPack[];
  /** For each image, by the numbers of packs; new ones come after the old. */
  readonly readings: readonly (readonly number[])[];
}

/** Answers with the packs that are retired by it. */
export async function fileCollection(
  tx: Tx,
  { look, made, readings }: CollectionChange,
  now: number,
): Promise<readonly PackRow[]> {
  const { library, packs, images } = look;
  for (const { path: _, ...pack } of made) await insertPack(tx, { ...pack, library, createdAt: now });
  const keys: readonly PackKey[] = [...packs, ...made.map(({ digest }) => ({ library, digest }))];
  const before = await selectPacks(tx, [library]);
  for (const [at, image] of images.entries()) {
    const wanted = (readings[at] ?? []).flatMap((pack) => keys[pack] ?? []);
    if (isSame(wanted, image.packs) || !isSame(await selectPacksOf(tx, image), image.packs)) continue;
    await replacePacksOf(tx, image, wanted);
  }
  await retireUnneededPacks(tx, now);
  const left = new Set((await selectPacks(tx, [library])).map(({ digest }) => digest));
  return before.filter(({ digest }) => !left.has(digest));
}

function isSame(some: readonly PackKey[], others: readonly PackKey[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ library, digest }, at) => others[at]?.library === library && others[at]?.digest === digest)
  );
}
