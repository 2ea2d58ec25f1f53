import { HpsError } from "../../../../proto/values/hps-error.ts";
import { quote } from "../../../../proto/values/safe-text.ts";
import type { ImageBuilder } from "../../image-builder.ts";
import type { ImageSource, SourceProgress } from "../source.ts";
import { readTar } from "../tar-source.ts";
import type { BlobStore } from "./blob-store.ts";
import { chosenLayers, type ImageChoice } from "./choose-manifest.ts";
import { dockerLayers } from "./docker-archive.ts";
import { LayerReader } from "./layer.ts";
import type { Descriptor } from "./schemas.ts";
import { readNamed, verifiedBlob } from "./verified-blob.ts";

/** One layer, as it lies there. */
export interface Layer {
  readonly sizeBytes: number;
  /** Throws at its end when it is not what it should be. */
  readonly bytes: () => AsyncGenerator<Buffer, void>;
}

/** The layers of the image that is meant, the lowest first. */
async function imageLayers(store: BlobStore, choice: ImageChoice): Promise<readonly Layer[]> {
  const docker = store.find("index.json") === undefined ? await readNamed(store, "manifest.json") : undefined;
  if (docker !== undefined) return await dockerLayers(store, docker, choice);
  return (await chosenLayers(store, choice)).map((descriptor) => layerOf(store, descriptor));
}

/** Whether it is compressed, and how, is told by its bytes. */
const LAYER =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(foreign\.)?diff\.tar)([.+](gzip|zstd))?$/;

function layerOf(store: BlobStore, descriptor: Descriptor): Layer {
  const { mediaType, size } = descriptor;
  if (LAYER.test(mediaType)) return { sizeBytes: size, bytes: () => verifiedBlob(store, descriptor) };
  throw new HpsError("unimplemented", `the container image ${store.path} has a layer of type ${quote(mediaType)}`, {
    hint: "file trees come in layers that are tar archives, plain, gzip or zstd, and not encrypted",
  });
}

/** The image that is meant in a layout or an archive of one; the store is its to close. */
export async function ociSource(store: BlobStore, choice: ImageChoice): Promise<ImageSource> {
  try {
    const layers = await imageLayers(store, choice);
    const sizeBytes = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    return {
      ...{ sizeBytes, roomBytes: sizeBytes, builder: { links: "follow" } },
      read: (builder, progress) => readLayers(layers, builder, progress),
      [Symbol.asyncDispose]: async () => store[Symbol.dispose](),
    };
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
}

/** Lays the layers over each other; `builder` follows links inside the tree. */
async function readLayers(layers: readonly Layer[], builder: ImageBuilder, progress: SourceProgress): Promise<void> {
  for (const layer of layers) await readTar(layer.bytes(), new LayerReader(builder), progress);
}
