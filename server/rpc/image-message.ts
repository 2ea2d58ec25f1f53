import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ImageFormat, type ImageSourceSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { ImageSchema, ImportImage, InstallerSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import type { ImageAnnouncement } from "../core/images/image-order.ts";
import type { ImageView } from "../core/images/images.ts";
import type { CurrentInstaller } from "../core/installers/installers.ts";
import { required, wordOf } from "./fields.ts";

const FORMATS = {
  tar: ImageFormat.TAR,
  "tar-zstd": ImageFormat.TAR_ZSTD,
  "tar-xz": ImageFormat.TAR_XZ,
} as const;

export function imageMessage(image: ImageView): MessageInitShape<typeof ImageSchema> {
  const { id, cluster, name, system, kernel, importedBy } = image;
  const createTime = timestampFromMs(image.createdAt);
  return { id, cluster, name, source: imageSourceMessage(image), system, kernel, importedBy, createTime };
}

/** What an agent needs to fetch and unpack it. */
export function imageSourceMessage(
  image: Pick<ImageView, "digest" | "sizeBytes" | "format" | "contentBytes" | "entries" | "lacks">,
): MessageInitShape<typeof ImageSourceSchema> {
  const { digest, sizeBytes, format, contentBytes, entries, lacks } = image;
  return {
    file: { digest, sizeBytes: BigInt(sizeBytes) },
    format: FORMATS[format],
    contentBytes: BigInt(contentBytes),
    entries: BigInt(entries),
    lacks: [...lacks],
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
  const format = wordOf(FORMATS, source.format, "image format");
  return { name, digest, sizeBytes, format, contentBytes, entries, lacks, system, kernel };
}
