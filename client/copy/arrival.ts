import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { byteStringOf } from "../../proto/tree/byte-string.ts";
import { TarReader } from "../../proto/tree/tar/reader.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { Receiver, type ReceiverOptions } from "./receiver.ts";

export interface ArrivalPlace {
  /** That is there. */
  readonly folder: string;
  /** In it; empty for what is in the copied folder. */
  readonly name: string;
}

type Wish = Pick<ReceiverOptions, "recursive" | "exact" | "now" | "onBytes">;

/** What arrives from a host, on its way into a folder here. A single file has another name until it is whole. */
export class Arrival implements Disposable {
  readonly #place: ArrivalPlace;
  readonly #root: number;
  readonly #hidden = `.hpsctl-cp.${randomBytes(6).toString("hex")}`;
  readonly #receiver: Receiver;
  readonly #reader: TarReader;

  constructor(place: ArrivalPlace, wish: Wish) {
    this.#place = place;
    this.#root = openFolder(place.folder);
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, umask: process.umask() };
    const names = { name: byteStringOf(place.name), fileName: byteStringOf(this.#hidden) };
    this.#receiver = new Receiver({ ...wish, ...names, root: this.#root, owner });
    this.#reader = new TarReader(this.#receiver);
  }

  /** Devices and pipes that were left out. */
  get skipped(): number {
    return this.#receiver.skipped;
  }

  /** A piece of the archive. */
  take(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  /** The archive is whole, or this throws: everything gets its mode, its time, its name. */
  finish(): void {
    this.#reader.end();
    for (const _ of this.#receiver.finish());
    if (this.#receiver.top !== "file") return;
    try {
      renameSync(path.join(this.#place.folder, this.#hidden), path.join(this.#place.folder, this.#place.name));
    } catch (cause) {
      throw new HpsError("exists", `${quote(this.#place.name)} cannot be put in its place`, {
        hint: "is there a folder of that name?",
        cause,
      });
    }
  }

  /** The host's tar was not content. Of a folder what came stays, with its modes and times; false where it is not all there. */
  settle(): boolean {
    if (this.#receiver.top !== "directory") return false;
    for (const _ of this.#receiver.finish());
    return this.#reader.hasEnded;
  }

  [Symbol.dispose](): void {
    this.#receiver.close();
    closeSync(this.#root);
    rmSync(path.join(this.#place.folder, this.#hidden), { force: true });
  }
}

function openFolder(folder: string): number {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw new HpsError("not-found", `${quote(folder)} is no folder that you can copy into`, { cause });
  }
}
