import { open } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import type { PackRow } from "../../store/packs.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import type { Images, ImageView } from "./images.ts";

const CHUNK_BYTES = 256 * 1024;

/** What an image is made of, piece by piece: its compressed manifest, then the packs, each with its compressed index. */
export type ManifestPart =
  | { readonly kind: "manifest"; readonly data: Buffer }
  | { readonly kind: "pack"; readonly pack: PackRow }
  | { readonly kind: "index"; readonly data: Buffer };

/** `precondition` for an archive, `data-loss` for a file that hpsd has lost. */
export async function* manifestParts(
  images: Pick<Images, "file" | "indexedFile">,
  image: ImageView,
  packs: readonly PackRow[],
): AsyncGenerator<ManifestPart> {
  if (image.format !== "packs") {
    throw new HpsError("precondition", `image ${safeText(image.name)} is an archive: it has no manifest`, {
      hint: "import it without --archive",
    });
  }
  for await (const data of bytesOf(images.file(image), 0, image.sizeBytes)) yield { kind: "manifest", data };
  for (const pack of packs) {
    yield { kind: "pack", pack };
    const file = images.indexedFile({ ...pack, kind: "pack" });
    for await (const data of bytesOf(file, pack.indexOffset, pack.indexBytes)) yield { kind: "index", data };
  }
}

const LARGEST_READ = 128 << 20;

/** Bytes of one of the packs of an image, as they lie there. */
export async function* packBytes(
  images: Pick<Images, "indexedFile">,
  packs: readonly PackRow[],
  { digest, offset, length }: { readonly digest: string; readonly offset: number; readonly length: number },
): AsyncGenerator<Buffer> {
  const pack = packs.find((one) => one.digest === digest);
  if (pack === undefined) throw new HpsError("not-found", "the image is not read from such a pack");
  if (offset < 0 || length < 0 || length > LARGEST_READ || offset + length > pack.sizeBytes) {
    throw new HpsError("invalid", `the pack has no ${length} bytes at ${offset}, or they are too many at once`);
  }
  yield* bytesOf(images.indexedFile({ ...pack, kind: "pack" }), offset, length);
}

async function* bytesOf({ path, digest, sizeBytes }: StoredFile, at: number, length: number): AsyncGenerator<Buffer> {
  await using file = await open(path).catch((cause: unknown) => {
    throw lost(digest, cause);
  });
  if ((await file.stat()).size !== sizeBytes) throw lost(digest, undefined);
  for (let done = 0; done < length; ) {
    const { bytesRead, buffer } = await file.read({
      buffer: Buffer.alloc(Math.min(CHUNK_BYTES, length - done)),
      position: at + done,
    });
    if (bytesRead === 0) throw lost(digest, undefined);
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

function lost(digest: string, cause: unknown): HpsError {
  const hint = "import the images that are made of it again; hpsd check names them";
  return new HpsError("data-loss", `hpsd has lost the file ${digest}`, { hint, cause });
}
