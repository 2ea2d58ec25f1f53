import { rm } from "node:fs/promises";
import type { FileWish } from "../files/incoming-file.ts";
import type { Filing } from "./filing.ts";
import { IncomingPacks } from "./incoming-packs.ts";
import type { WrittenPack } from "./pack-writer.ts";

/** The files of an upload on its way; what has no name when it is disposed of is removed. */
export class IncomingUpload implements AsyncDisposable {
  readonly paths: { readonly manifest: string; readonly packs: string };
  readonly #filing: Filing;
  readonly #packs: IncomingPacks;

  constructor(filing: Filing) {
    this.#filing = filing;
    this.#packs = new IncomingPacks(filing.files);
    this.paths = { manifest: filing.files.part("manifests").incoming(), packs: this.#packs.path };
  }

  finished(packs: readonly WrittenPack[]): readonly WrittenPack[] {
    this.#packs.finished(packs);
    return packs;
  }

  /**
   * Gives the files their names, before the rows that name them. Of a manifest that is there already, `known` bytes long, the
   * old file stays: agents may be reading it. Answers with the length of the manifest's file.
   */
  async keep({ digest, manifestBytes }: KeptManifest, known: number | undefined): Promise<number> {
    await this.#packs.keep();
    const manifests = this.#filing.files.part("manifests");
    if (known !== undefined && (await manifests.has({ digest, sizeBytes: known }))) return known;
    await manifests.keep(this.paths.manifest, digest);
    return manifestBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.paths.manifest, { force: true });
    this.#filing.files.part("manifests").arrived(this.paths.manifest);
    await this.#packs[Symbol.asyncDispose]();
    await this.#filing.collect();
  }
}

interface KeptManifest extends Pick<FileWish, "digest"> {
  /** Of the new file. */
  readonly manifestBytes: number;
}
