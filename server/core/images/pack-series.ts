import { MOST_PACK_OBJECTS } from "../../../proto/image/limits.ts";
import type { ImageObject } from "../../../proto/image/manifest-entry.ts";
import { PackWriter, type WrittenPack } from "./pack-writer.ts";

/** Of one pack. */
const LARGEST_PACK = 512 * 1024 * 1024;

/** Writes frames to as many packs as they need: `<path>-1`, `<path>-2`, … */
export class PackSeries {
  readonly #path: string;
  readonly #what: string;
  readonly #packs: WrittenPack[] = [];
  #writer: PackWriter | undefined;

  /** `what` names what it is for, in errors. */
  constructor(path: string, what: string) {
    this.#path = path;
    this.#what = what;
  }

  /** Of the pack that is being written. */
  get offset(): number {
    return this.#writer?.bytes ?? 0;
  }

  /** Adds a frame that was checked; answers with the number of its pack, from 0. */
  append(frame: Uint8Array, objects: readonly ImageObject[]): number {
    const writer = this.#writer;
    const isFull =
      writer !== undefined &&
      (writer.bytes + frame.length > LARGEST_PACK || writer.objects + objects.length > MOST_PACK_OBJECTS);
    if (isFull) this.#end();
    this.#writer ??= new PackWriter(`${this.#path}-${this.#packs.length + 1}`, this.#what);
    this.#writer.append(frame, objects);
    return this.#packs.length;
  }

  /** All of them, whole and durable. */
  finish(): readonly WrittenPack[] {
    this.#end();
    return this.#packs;
  }

  /** Lets go of the files; they are their maker's to remove. */
  close(): void {
    this.#writer?.close();
  }

  #end(): void {
    if (this.#writer !== undefined) this.#packs.push(this.#writer.finish());
    this.#writer = undefined;
  }
}
