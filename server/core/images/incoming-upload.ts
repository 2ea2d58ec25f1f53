import { rm, unlink } from "node:fs/promises";
import type { FileWish } from "../files/incoming-file.ts";
import type { Filing } from "./filing.ts";
import type { WrittenPack } from "./pack-writer.ts";

/** The files of an upload on its way; what has no name when it is disposed of is removed. */
export class IncomingUpload implements AsyncDisposable {
  readonly paths: { readonly manifest: string; readonly packs: string };
  readonly #filing: Filing;
  #packs: readonly WrittenPack[] = [];

  constructor(filing: Filing) {
    this.#filing = filing;
    const { files } = filing;
    this.paths = { manifest: files.part("manifests").incoming(), packs: files.part("packs").incoming() };
  }

  finished(packs: readonly WrittenPack[]): readonly WrittenPack[] {
    this.#packs = packs;
    return packs;
  }

  /**
   * Gives the files their names, before the rows that name them. Of a manifest that is there already, `known` bytes long, the
   * old file stays: agents may be reading it. Answers with the length of the manifest's file.
   */
  async keep({ digest, manifestBytes }: KeptManifest, known: number | undefined): Promise<number> {
    const { files } = this.#filing;
    for (const pack of this.#packs) await files.part("packs").keep(pack.path, pack.digest);
    const manifests = files.part("manifests");
    if (known !== undefined && (await manifests.has({ digest, sizeBytes: known }))) return known;
    await manifests.keep(this.paths.manifest, digest);
    return manifestBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.paths.manifest, { force: true });
    for (const { path } of this.#packs) await rm(path, { force: true });
    // Of an upload that was cut off nobody knows how many there are.
    for (let number = this.#packs.length + 1; await removed(`${this.paths.packs}-${number}`); number += 1);
    await this.#filing.collect();
  }
}

interface KeptManifest extends Pick<FileWish, "digest"> {
  /** Of the new file. */
  readonly manifestBytes: number;
}

async function removed(path: string): Promise<boolean> {
  return await unlink(path).then(
    () => true,
    () => false,
  );
}
