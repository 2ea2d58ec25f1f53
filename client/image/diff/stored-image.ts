/** An image in a library, as far as its manifest, the indexes of its packs and single files tell. */
import type { PackSource } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { Image } from "../../../proto/gen/hps/v1/image_pb.ts";
import { parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import { type Manifest, manifestBytes, parseManifest } from "../../../proto/image/manifest.ts";
import type { ImageObject, ManifestEntry } from "../../../proto/image/manifest-entry.ts";
import { PACK, type PackIndex, parsePackIndex } from "../../../proto/image/pack.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { roundSize } from "../../../proto/values/size.ts";
import type { Call } from "../../commands/call.ts";

/** Of a file that is read for what it lists, ten times what such have. */
const LARGEST_FILE = 512 << 20;

/** What names an image in requests. */
export interface ImageRequest {
  readonly cluster: string;
  readonly name: string;
}

/** A pack that the image is read from, and what lies where in it. */
interface StoredPack {
  readonly digest: string;
  readonly index: PackIndex;
}

export interface StoredImage {
  readonly image: Image;
  readonly manifest: Manifest;
  /** Of the manifest, compressed. */
  readonly manifestBytes: number;
  /** In the order in which they are asked for an object. */
  readonly packs: readonly StoredPack[];
  /** The content of a file whose path leads through no link; undefined when there is none. */
  readonly file: (path: string) => Promise<Buffer | undefined>;
}

/** Fetches what says what the image is, and checks it; its content is fetched when it is asked for. */
export async function storedImage(call: Call, request: ImageRequest): Promise<StoredImage> {
  const { image, stored } = await fetchManifest(call, request);
  const digest = image.source?.manifest?.digest ?? "";
  const manifest = parseManifest(manifestBytes(stored, digest));
  const packs: StoredPack[] = [];
  for (const source of image.source?.packs ?? []) packs.push(await fetchIndex(call, request, source));
  const file = async (path: string) => {
    const entry = manifest.entries.find((one) => one.path === path && one.type === "file");
    if (entry === undefined) return undefined;
    if (entry.size > LARGEST_FILE) {
      throw new HpsError(
        "exhausted",
        `${path} of image ${request.name} has ${roundSize(entry.size)}, too much to read it`,
      );
    }
    const objects = entry.objects.flatMap((number) => manifest.objects[number] ?? []);
    const pieces: Buffer[] = [];
    for (const object of objects) pieces.push(await fetchObject(call, request, packs, object));
    return entry.segments === undefined ? Buffer.concat(pieces) : spread(Buffer.concat(pieces), entry);
  };
  return { image, manifest, manifestBytes: stored.length, packs, file };
}

/** The data of a sparse file where it lies. */
function spread(data: Buffer, { size, segments = [] }: ManifestEntry): Buffer {
  const whole = Buffer.alloc(size);
  let at = 0;
  for (const segment of segments) {
    data.copy(whole, segment.offset, at, at + segment.size);
    at += segment.size;
  }
  return whole;
}

async function fetchManifest(call: Call, request: ImageRequest) {
  const hps = await call.connect();
  const pieces: Uint8Array[] = [];
  let image: Image | undefined;
  for await (const { message } of hps.images.getManifest(request, call.stream)) {
    if (message.case === "image") image = message.value;
    else if (message.case === "manifest") pieces.push(message.value);
  }
  if (image === undefined) throw new HpsError("data-loss", `hpsd gave no manifest of ${request.name}`);
  return { image, stored: Buffer.concat(pieces) };
}

/** Its index and its trailer, which stand at its end. */
async function fetchIndex(call: Call, request: ImageRequest, source: PackSource): Promise<StoredPack> {
  const { digest, sizeBytes, indexOffset } = source;
  const end = await readPack(call, request, { pack: digest, offset: indexOffset, bytes: sizeBytes - indexOffset });
  const trailer = parseTrailer(PACK, end.subarray(-TRAILER_BYTES), Number(sizeBytes));
  return { digest, index: parsePackIndex(end.subarray(0, -TRAILER_BYTES), trailer) };
}

async function fetchObject(
  call: Call,
  request: ImageRequest,
  packs: readonly StoredPack[],
  object: ImageObject,
): Promise<Buffer> {
  for (const { digest: pack, index } of packs) {
    for (const frame of index.frames) {
      const at = frame.objects.findIndex(({ digest }) => digest.equals(object.digest));
      if (at === -1) continue;
      const place = { pack, offset: BigInt(frame.offset), bytes: BigInt(frame.compressedBytes) };
      const content = openFrame(await readPack(call, request, place), frame)[at];
      if (content !== undefined) return content;
    }
  }
  throw new HpsError("data-loss", `image ${request.name} lacks some of its content`, {
    hint: "import it again",
  });
}

interface PackPart {
  readonly pack: string;
  readonly offset: bigint;
  readonly bytes: bigint;
}

async function readPack(call: Call, request: ImageRequest, part: PackPart): Promise<Buffer> {
  const hps = await call.connect();
  const pieces: Uint8Array[] = [];
  for await (const { data } of hps.images.readPack({ ...request, ...part }, call.stream)) pieces.push(data);
  const bytes = Buffer.concat(pieces);
  if (bytes.length !== Number(part.bytes))
    throw new HpsError("data-loss", `hpsd cut the answer about pack ${part.pack}`);
  return bytes;
}
