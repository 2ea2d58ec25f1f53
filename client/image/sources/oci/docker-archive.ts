/** What `docker save` wrote before its archives were layouts too, and `podman save` still does: layers as plain archives. */
import { createHash } from "node:crypto";
import { HpsError } from "../../../../proto/values/hps-error.ts";
import { parseShape } from "../../../../proto/values/parsed.ts";
import { quote, safeText } from "../../../../proto/values/safe-text.ts";
import type { BlobStore } from "./blob-store.ts";
import { type ImageChoice, platformText } from "./choose-manifest.ts";
import type { Layer } from "./oci-source.ts";
import { DOCKER_CONFIG, DOCKER_MANIFEST } from "./schemas.ts";
import { missing, readWhole, wrong } from "./verified-blob.ts";

/** The layers of the image that is meant, the lowest first; each is checked by what the image's configuration says of it. */
export async function dockerLayers(store: BlobStore, document: unknown, choice: ImageChoice): Promise<Layer[]> {
  const images = parseShape(DOCKER_MANIFEST, document, "manifest.json");
  const named = images.filter(({ RepoTags }) => choice.name === undefined || RepoTags?.includes(choice.name));
  const [image, another] = named;
  if (image === undefined || another !== undefined)
    throw notOne(
      store,
      images.flatMap(({ RepoTags }) => RepoTags ?? []),
    );
  const config = parseShape(DOCKER_CONFIG, JSON.parse(await configText(store, image.Config)), image.Config);
  const platform = platformText(config);
  if (platform !== choice.platform && !platform.startsWith(`${choice.platform}/`)) {
    throw new HpsError("not-found", `the image in ${store.path} is for ${quote(platform)}, not ${choice.platform}`, {
      hint: "--platform chooses another",
    });
  }
  const ids = config.rootfs.diff_ids;
  if (ids.length !== image.Layers.length) throw wrong(store, image.Config, "does not name as many layers as there are");
  return image.Layers.map((name, index) => layerOf(store, name, ids[index] ?? ""));
}

/** Its name is its SHA-256. */
async function configText(store: BlobStore, name: string): Promise<string> {
  const blob = store.find(name);
  if (blob === undefined) throw missing(store, name);
  const bytes = await readWhole(blob);
  const [hex = ""] = /[0-9a-f]{64}/.exec(name) ?? [];
  if (createHash("sha256").update(bytes).digest("hex") !== hex) throw wrong(store, name, "is not what its name says");
  return bytes.toString("utf8");
}

function layerOf(store: BlobStore, name: string, digest: string): Layer {
  const blob = store.find(name);
  if (blob === undefined) throw missing(store, name);
  const [algorithm = "", hex = ""] = digest.split(":");
  const bytes = async function* () {
    const hash = createHash(algorithm);
    for await (const piece of blob.bytes()) {
      hash.update(piece);
      yield piece;
    }
    if (hash.digest("hex") !== hex) throw wrong(store, name, "is not what the image's configuration says");
  };
  return { sizeBytes: blob.sizeBytes, bytes };
}

function notOne(store: BlobStore, tags: readonly string[]): HpsError {
  const names = tags.map((tag) => safeText(tag)).join(", ");
  return new HpsError("invalid", `${store.path} holds not one image of that name but: ${names || "none"}`, {
    hint: "say which one by --oci-name NAME:TAG",
  });
}
