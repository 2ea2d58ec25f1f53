import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ImageFormat, type ImageSourceSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { ImageSchema, ImportImage, InstallerSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import type { SignedKeySet } from "../../proto/image/key-set.ts";
import { keySetMessage, signatureMessage } from "../../proto/image/signed-message.ts";
import { parseSignedStatement } from "../../proto/image/statement.ts";
import type { ImageAnnouncement } from "../core/images/image-order.ts";
import type { Signer } from "../core/images/image-trust.ts";
import type { DeltaRow, ImageView, IndexedFile } from "../core/images/images.ts";
import type { CurrentInstaller } from "../core/installers/installers.ts";
import { required, wordOf } from "./fields.ts";

const ARCHIVES = {
  tar: ImageFormat.TAR,
  "tar-zstd": ImageFormat.TAR_ZSTD,
  "tar-xz": ImageFormat.TAR_XZ,
} as const;
const FORMATS = { ...ARCHIVES, packs: ImageFormat.PACKS } as const;

/** With its packs, deltas and signatures, where they were asked for. */
export function imageMessage(
  image: ImageView & Pick<ReadImage, "packs" | "deltas" | "signatures"> & { readonly signers: readonly Signer[] },
): MessageInitShape<typeof ImageSchema> {
  const { id, cluster, name, system, kernel, importedBy } = image;
  const createTime = timestampFromMs(image.createdAt);
  const nameTime = timestampFromMs(image.namedAt);
  const expires = image.expiresAt !== null && { expireTime: timestampFromMs(image.expiresAt) };
  const times = { createTime, nameTime, ...expires };
  const signers = image.signers.map(({ keyId, label }) => ({ keyId, label }));
  return { id, cluster, name, source: imageSourceMessage(image), system, kernel, importedBy, signers, ...times };
}

/** An image, and for who reads it also what it is read from. */
type ReadImage = Pick<ImageView, "digest" | "sizeBytes" | "format" | "contentBytes" | "entries" | "lacks"> & {
  readonly packs?: readonly IndexedFile[];
  readonly deltas?: readonly DeltaRow[];
  readonly signatures?: readonly Uint8Array[];
  readonly keySets?: readonly SignedKeySet[];
  readonly mirrors?: readonly string[];
};

/** What an agent needs to fetch and unpack it. */
export function imageSourceMessage(image: ReadImage): MessageInitShape<typeof ImageSourceSchema> {
  const { digest, sizeBytes, format, contentBytes, entries, lacks, packs = [], deltas = [] } = image;
  const { mirrors = [] } = image;
  const keySet = keySetMessage(image.keySets ?? []);
  const file = { digest, sizeBytes: BigInt(sizeBytes) };
  return {
    ...(format === "packs" ? { manifest: file } : { file }),
    format: FORMATS[format],
    contentBytes: BigInt(contentBytes),
    entries: BigInt(entries),
    lacks: [...lacks],
    packs: packs.map(packMessage),
    deltas: deltas.map((delta) => ({ ...packMessage(delta), base: delta.base })),
    signatures: (image.signatures ?? []).map(signatureOf),
    ...(keySet && { keySet }),
    baseUrls: format === "packs" ? [...mirrors] : [],
  };
}

function signatureOf(signed: Uint8Array) {
  const statement = parseSignedStatement(signed);
  return signatureMessage(statement.bytes, statement);
}

export function packMessage({ digest, sizeBytes, indexOffset, indexBytes }: IndexedFile) {
  return {
    digest,
    sizeBytes: BigInt(sizeBytes),
    indexOffset: BigInt(indexOffset),
    indexBytes: BigInt(indexBytes),
  };
}

export function installerMessage(installer: CurrentInstaller): MessageInitShape<typeof InstallerSchema> {
  const { digest, version, files, importedAt } = installer;
  return {
    ...{ digest, version },
    files: files.map(({ name, ...file }) => ({
      name,
      file: { digest: file.digest, sizeBytes: BigInt(file.sizeBytes) },
    })),
    importTime: timestampFromMs(importedAt),
  };
}

/** From the contract's words to the core's, which checks them. */
export function announcementOf({ name, source: said, system, kernel }: ImportImage): ImageAnnouncement {
  const source = required(said, "source");
  const { digest, sizeBytes } = required(source.file, "file of the source");
  const { contentBytes, entries, lacks } = source;
  const format = wordOf(ARCHIVES, source.format, "image format");
  return { name, digest, sizeBytes, format, contentBytes, entries, lacks, system, kernel };
}
