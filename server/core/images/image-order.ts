import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, parseImageName } from "../../../proto/values/image-ref.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { parseSha256 } from "../../../proto/values/sha256.ts";
import type { ImageRow } from "../../store/images.ts";

type ImageFormat = ImageRow["format"];

/** What an image may lack, and is then not installed. */
const PARTS: readonly string[] = ["kernel", "initrd", "init"];
const MAX_TEXT_BYTES = 256;

/** What an importer found in an image beside its tree. */
export type ImageFound = Pick<ImageRow, "lacks" | "system" | "kernel">;

/** What an importer says of an archive. */
export interface ImageAnnouncement extends ImageFound {
  readonly name: string;
  readonly digest: string;
  readonly sizeBytes: bigint;
  readonly format: ImageFormat;
  readonly contentBytes: bigint;
  readonly entries: bigint;
}

/** The same, checked. The archive itself is looked at by the agent that unpacks it. */
export interface ImageOrder
  extends Pick<
    ImageRow,
    "digest" | "sizeBytes" | "format" | "contentBytes" | "entries" | "lacks" | "system" | "kernel"
  > {
  readonly name: ImageRef;
}

/** `invalid` names the first thing wrong. */
export function parseImageOrder(said: ImageAnnouncement): ImageOrder {
  return {
    name: clusterName(said.name),
    digest: parseSha256(said.digest),
    sizeBytes: count(said.sizeBytes, "length"),
    format: said.format,
    contentBytes: count(said.contentBytes, "content"),
    entries: count(said.entries, "number of entries"),
    ...foundOf(said),
  };
}

/** Checks what an importer found; `invalid` names the first thing wrong. */
export function foundOf({ lacks, system, kernel }: ImageFound): ImageFound {
  const stranger = lacks.find((part) => !PARTS.includes(part));
  if (stranger !== undefined) throw new HpsError("invalid", `an image cannot lack ${quote(stranger)}`);
  return {
    lacks: PARTS.filter((part) => lacks.includes(part)),
    system: text(system, "system"),
    kernel: text(kernel, "kernel"),
  };
}

/** Archives are one cluster's: the shared library holds images of packs alone. */
function clusterName(text: string): ImageRef {
  const { name, shared } = parseImageName(text);
  if (!shared) return name;
  throw new HpsError("invalid", `an archive cannot be imported as ${name}`, {
    hint: "names that begin with shared/ are the shared library's, which holds no archives: import without --archive",
  });
}

function count(value: bigint, what: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new HpsError("invalid", `not the ${what} of an image: ${value}`);
}

function text(value: string, what: string): string {
  if (value.isWellFormed() && Buffer.byteLength(value) <= MAX_TEXT_BYTES) return value;
  throw new HpsError("invalid", `the ${what} of an image is more than ${MAX_TEXT_BYTES} bytes of text`);
}
