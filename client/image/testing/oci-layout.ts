/** Container images by hand. */
import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

export type Files = Map<string, Buffer>;

interface NewImage {
  readonly layers: readonly { readonly bytes: Buffer; readonly mediaType?: string }[];
  readonly architecture?: string;
  readonly name?: string;
}

/** The files of a layout with these images. */
export function layoutOf(...images: readonly NewImage[]): Files {
  const files: Files = new Map();
  const put = (mediaType: string, bytes: Buffer) => {
    const hex = hash("sha256", bytes, "hex");
    files.set(`blobs/sha256/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (mediaType: string, value: unknown) => put(mediaType, Buffer.from(JSON.stringify(value)));
  const manifests = images.map(({ layers, architecture = "amd64", name }) => {
    const config = json("application/vnd.oci.image.config.v1+json", { architecture, os: "linux" });
    const described = layers.map(({ bytes, mediaType = LAYER_TYPE }) => put(mediaType, bytes));
    const manifest = json(MANIFEST_TYPE, { schemaVersion: 2, config, layers: described });
    return { ...manifest, ...(name && { annotations: { "org.opencontainers.image.ref.name": name } }) };
  });
  files.set("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set("index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return files;
}

export const gzipLayer = (bytes: Buffer) => ({ bytes: gzipSync(bytes), mediaType: `${LAYER_TYPE}+gzip` });
export const zstdLayer = (bytes: Buffer) => ({ bytes: zstdCompressSync(bytes), mediaType: `${LAYER_TYPE}+zstd` });

export function writeFiles(folder: string, files: Files): string {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}
