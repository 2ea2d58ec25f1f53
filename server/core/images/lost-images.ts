import type { HpsStore } from "../../store/database.ts";
import { selectImages } from "../../store/images.ts";
import { Room } from "../files/room.ts";
import { ImageFiles } from "./image-files.ts";

const PAGE = 1000;

/** Images whose archive is gone or of another length, as `cluster/name`: what `hpsd check` shows. Changes nothing. */
export async function lostImages(store: HpsStore, folder: string): Promise<readonly string[]> {
  const lost: string[] = [];
  let after: { readonly cluster: string; readonly name: string } | undefined;
  for (;;) {
    const begin = after === undefined ? {} : { after };
    const page = await store.read((db) => selectImages(db, { clusters: "all", limit: PAGE, ...begin }));
    const missing = await ImageFiles.missing(folder, new Room(folder), page);
    lost.push(...missing.map(({ cluster, name }) => `${cluster}/${name}`));
    after = page.at(-1);
    if (page.length < PAGE) return lost;
  }
}
