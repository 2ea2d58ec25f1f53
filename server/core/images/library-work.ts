/** What is done to a library in a thread of its own: whatever reads packs as a whole must not hold up hpsd. */
import type { StoredFile } from "../files/incoming-file.ts";
import type { LibraryPart } from "./library-files.ts";
import { type LibraryLife, libraryLife, type ReadImage } from "./pack-life.ts";
import { type OldPack, type Repacked, repack } from "./repack.ts";
import { type FileVerdict, verifyFile } from "./verify-file.ts";
import { type DeltaOrder, type WrittenDelta, writeDelta } from "./write-delta.ts";

export type LibraryJob =
  | { readonly kind: "life"; readonly images: readonly ReadImage[]; readonly packs: readonly StoredFile[] }
  | { readonly kind: "verify"; readonly part: LibraryPart; readonly file: StoredFile }
  | ({ readonly kind: "delta" } & DeltaOrder)
  | { readonly kind: "repack"; readonly packs: readonly OldPack[]; readonly path: string };

/** What each job comes to. */
export interface LibraryResults {
  readonly life: LibraryLife;
  readonly repack: Repacked;
  readonly verify: FileVerdict;
  /** Undefined: it is not worth it. */
  readonly delta: WrittenDelta | undefined;
}

export type LibraryResult = LibraryResults[keyof LibraryResults];

export async function carryOut(job: LibraryJob): Promise<LibraryResult> {
  switch (job.kind) {
    case "life":
      return libraryLife(job.images, job.packs);
    case "verify":
      return verifyFile(job.part, job.file);
    case "delta":
      return await writeDelta(job);
    case "repack":
      return repack(job.packs, job.path);
  }
}
