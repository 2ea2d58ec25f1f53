/** Which of the images in a layout is meant: by platform, and by its name where there are several. */

import { HpsError } from "../../../../proto/values/hps-error.ts";
import { parseShape } from "../../../../proto/values/parsed.ts";
import { quote, safeText } from "../../../../proto/values/safe-text.ts";
import type { BlobStore } from "./blob-store.ts";
import { CONFIG, type Descriptor, INDEX, MANIFEST } from "./schemas.ts";
import { missing, readDocument, readNamed } from "./verified-blob.ts";

export interface ImageChoice {
  /** `linux/amd64`, `linux/arm64/v8`. */
  readonly platform: string;
  /** A name that the image has in the layout, as `skopeo copy … oci:FOLDER:NAME` gives it. */
  readonly name?: string;
}

interface Candidate {
  readonly descriptor: Descriptor;
  readonly platform: string;
  readonly name: string;
}

const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const DEEPEST = 4;

/** The layers of the image that is meant, the lowest first. */
export async function chosenLayers(store: BlobStore, choice: ImageChoice): Promise<readonly Descriptor[]> {
  const index = await readNamed(store, "index.json");
  if (index === undefined) throw missing(store, "index.json");
  const all = await candidates(store, index, { depth: 0, name: "" });
  const { descriptor } = theOne(store, choice, all);
  return parseShape(MANIFEST, await readDocument(store, descriptor), descriptor.digest).layers;
}

async function candidates(
  store: BlobStore,
  document: unknown,
  { depth, name }: { readonly depth: number; readonly name: string },
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const descriptor of parseShape(INDEX, document, "the container image's index").manifests) {
    const own = descriptor.annotations?.["org.opencontainers.image.ref.name"] ?? name;
    if (INDEX_TYPES.includes(descriptor.mediaType)) {
      if (depth === DEEPEST)
        throw new HpsError("invalid", `the indexes of ${store.path} lead to each other too deeply`);
      found.push(...(await candidates(store, await readDocument(store, descriptor), { depth: depth + 1, name: own })));
    } else if (isImage(descriptor)) {
      found.push({ descriptor, platform: await platformOf(store, descriptor), name: own });
    }
  }
  return found;
}

/** Statements about how an image was built are in indexes too. */
function isImage({ mediaType, annotations }: Descriptor): boolean {
  return MANIFEST_TYPES.includes(mediaType) && annotations?.["vnd.docker.reference.type"] === undefined;
}

async function platformOf(store: BlobStore, descriptor: Descriptor): Promise<string> {
  if (descriptor.platform !== undefined) return platformText(descriptor.platform);
  const { config } = parseShape(MANIFEST, await readDocument(store, descriptor), descriptor.digest);
  return platformText(parseShape(CONFIG, await readDocument(store, config), config.digest));
}

export function platformText({
  os,
  architecture,
  variant,
}: {
  os: string;
  architecture: string;
  variant?: string | undefined;
}) {
  return [os, architecture, variant ?? ""].filter((part) => part !== "").join("/");
}

function theOne(store: BlobStore, { platform, name }: ImageChoice, all: readonly Candidate[]): Candidate {
  const named = all.filter((one) => name === undefined || one.name === name);
  if (name !== undefined && named.length === 0) throw none(store, `is called ${quote(name)}`, all);
  const fitting = named.filter((one) => one.platform === platform || one.platform.startsWith(`${platform}/`));
  const [first, second] = [...new Map(fitting.map((one) => [one.descriptor.digest, one])).values()];
  if (first === undefined) throw none(store, `is for ${quote(platform)}`, named);
  if (second === undefined) return first;
  throw new HpsError("invalid", `${store.path} holds several images for ${platform}: ${shown(fitting)}`, {
    hint: "say which one by --oci-name NAME, or its whole platform by --platform",
  });
}

function none(store: BlobStore, what: string, all: readonly Candidate[]): HpsError {
  return new HpsError("not-found", `no image in ${store.path} ${what}: it holds ${shown(all) || "none"}`, {
    hint: "--platform OS/ARCHITECTURE and --oci-name NAME choose one",
  });
}

function shown(all: readonly Candidate[]): string {
  return all.map(({ name, platform }) => safeText([name, platform].filter((word) => word !== "").join(" "))).join(", ");
}
