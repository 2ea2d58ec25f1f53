import type { HpsStore } from "../../store/database.ts";
import { type NamedImageRow, selectImages } from "../../store/images.ts";
import { selectPacksOf } from "../../store/packs.ts";
import { Room } from "../files/room.ts";
import { LibraryFiles, partOf } from "./library-files.ts";

const PAGE = 1000;

/** Images of which a file is gone or of another length, as `cluster/name`: what `hpsd check` shows. Changes nothing. */
export async function lostImages(store: HpsStore, folder: string): Promise<readonly string[]> {
  const lost: string[] = [];
  const room = new Room(folder);
  let after: { readonly cluster: string; readonly name: string } | undefined;
  for (;;) {
    const begin = after === undefined ? {} : { after };
    const page = await store.read((db) => selectImages(db, { clusters: "all", shared: true, limit: PAGE, ...begin }));
    for (const image of page) if (await isLost(store, folder, room, image)) lost.push(nameOf(image));
    after = page.at(-1);
    if (page.length < PAGE) return lost;
  }
}

async function isLost(store: HpsStore, folder: string, room: Room, image: NamedImageRow): Promise<boolean> {
  const own = await LibraryFiles.missing(folder, room, partOf(image.format), [image]);
  if (own.length > 0 || image.format !== "packs") return own.length > 0;
  const packs = await store.read((db) => selectPacksOf(db, image));
  return (await LibraryFiles.missing(folder, room, "packs", packs)).length > 0;
}

function nameOf({ cluster, name }: NamedImageRow): string {
  return cluster === "" ? name : `${cluster}/${name}`;
}
