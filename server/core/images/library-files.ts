import path from "node:path";
import type { FileWish, StoredFile } from "../files/incoming-file.ts";
import type { Room } from "../files/room.ts";
import { ImageFiles, type UnnamedFile } from "./image-files.ts";

/** Archives lie in the folder itself, as they did before there was anything else. */
const FOLDERS = { archives: ".", manifests: "manifests", packs: "packs", deltas: "deltas" } as const;

/** The kinds of files of a library. */
export type LibraryPart = keyof typeof FOLDERS;
const PARTS = ["archives", "manifests", "packs", "deltas"] as const satisfies readonly LibraryPart[];

/** What there is to be, by kind. */
export type LibraryWishes = Readonly<Record<LibraryPart, readonly FileWish[]>>;

/** With the kind of files that it lies among. */
export interface LibraryUnnamed extends UnnamedFile {
  readonly part: LibraryPart;
}

/** All files of images: `<digest>`, `manifests/<digest>`, `packs/<digest>`, `deltas/<digest>`, in one folder. */
export class LibraryFiles {
  readonly room: Room;
  readonly #parts: Readonly<Record<LibraryPart, ImageFiles>>;

  private constructor(room: Room, parts: Readonly<Record<LibraryPart, ImageFiles>>) {
    this.room = room;
    this.#parts = parts;
  }

  static async open(folder: string, room: Room): Promise<LibraryFiles> {
    const open = async (part: LibraryPart) => await ImageFiles.open(path.join(folder, FOLDERS[part]), room);
    const archives = await open("archives");
    const [manifests, packs, deltas] = await Promise.all([open("manifests"), open("packs"), open("deltas")]);
    return new LibraryFiles(room, { archives, manifests, packs, deltas });
  }

  /** Those that are missing or of another length. Changes nothing, not even makes the folder. */
  static async missing<T extends FileWish>(
    folder: string,
    room: Room,
    part: LibraryPart,
    wanted: readonly T[],
  ): Promise<readonly T[]> {
    return await ImageFiles.missing(path.join(folder, FOLDERS[part]), room, wanted);
  }

  part(name: LibraryPart): ImageFiles {
    return this.#parts[name];
  }

  stored(part: LibraryPart, { digest, sizeBytes }: FileWish): StoredFile {
    return { digest, sizeBytes, path: this.#parts[part].pathOf(digest) };
  }

  /** What lies there that nobody names. */
  async unnamed(named: LibraryWishes): Promise<readonly LibraryUnnamed[]> {
    const found = PARTS.map(async (part) => {
      return (await this.#parts[part].unnamed(named[part])).map((file) => ({ ...file, part }));
    });
    return (await Promise.all(found)).flat();
  }

  /** Removes files that nobody names and that are not on their way. */
  async sweep(named: LibraryWishes): Promise<void> {
    for (const part of PARTS) await this.#parts[part].sweep(named[part]);
  }

  /** The same at the start. Answers which of `named` are missing or of another length. */
  async recover(named: LibraryWishes): Promise<readonly string[]> {
    const missing = await Promise.all(PARTS.map(async (part) => await this.#parts[part].recover(named[part])));
    return missing.flat();
  }
}

/** Where a file lies, below the folder of images. */
export function placeOf(part: LibraryPart, name: string): string {
  return path.join(FOLDERS[part], name);
}

/** Where an image's own file lies. */
export function partOf(format: string): LibraryPart {
  return format === "packs" ? "manifests" : "archives";
}
