import type { DeltaSource, ImageSource, PackSource } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { ImageRef } from "../../proto/values/image-ref.ts";
import { parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import type { ImageFiles, IndexedFile } from "../image/image-source.ts";
import type { AnnouncedTree } from "../image/manifest-bounds.ts";
import { countOf, parseFileSource, parseHex } from "./file-source.ts";

/** More are no image's: hpsd repacks long before. */
const MOST_FILES = 10_000;

/** Reads where the parts of an image are. */
export function parseImageFiles(name: ImageRef, source: ImageSource, tree: AnnouncedTree): ImageFiles {
  const { manifest, packs, deltas, baseUrls } = source;
  if (manifest === undefined || packs.length + deltas.length + baseUrls.length > MOST_FILES) {
    throw new HpsError("invalid", `hpsd names no manifest of the image ${name}, or more parts than an image has`, {
      hint: "import it again: hpsctl image import",
    });
  }
  return {
    tree,
    manifest: parseFileSource(manifest, `the manifest of ${name}`),
    packs: packs.map((pack) => indexedFile(pack, `a pack of ${name}`)),
    deltas: deltas.map((delta) => ({ ...indexedFile(delta, `a delta of ${name}`), base: parseHex(delta.base) })),
    baseUrls: baseUrls.map(parseMirrorUrl),
  };
}

function indexedFile(sent: PackSource | DeltaSource, what: string): IndexedFile {
  return {
    ...parseFileSource(sent, what),
    indexOffset: countOf(sent.indexOffset, `the place of the index of ${what}`),
    indexBytes: countOf(sent.indexBytes, `the length of the index of ${what}`),
  };
}
