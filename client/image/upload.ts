/** Sends an image to hpsd: its manifest, then those of its objects that hpsd asks for, in frames. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { holdBufferRoom } from "../../proto/flow/buffer-room.ts";
import type {
  BeginUploadSchema,
  Image,
  UploadImageRequestSchema,
  UploadImageResponse,
  WantedObjects,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { compressManifest } from "../../proto/image/manifest.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { compressedFrames, type WantedGroup } from "./frames.ts";
import type { BuiltImage } from "./image-builder.ts";

type Request = MessageInitShape<typeof UploadImageRequestSchema>;

/** What of an image its owner decides, not its tree. */
export type UploadOrder = Pick<
  MessageInitShape<typeof BeginUploadSchema>,
  "cluster" | "name" | "move" | "expireTime" | "deltaBase"
>;

/** Hears what is sent. */
export interface UploadProgress {
  /** Called once: so many bytes of content hpsd has not, and so many it stores again. */
  readonly onWanted: (wanted: { readonly newBytes: number; readonly againBytes: number }) => void;
  /** Bytes of content went, as they are before they are compressed. */
  readonly onBytes: (count: number) => void;
}

type UploadCall = (requests: AsyncIterable<Request>, options: CallOptions) => AsyncIterable<UploadImageResponse>;

/** The largest images over the slowest lines; hpsd lets go of who sends nothing long before. */
const LIMIT_MS = 12 * 3_600_000;
/** A message is bulk data and its header, well below the limit of a message. */
const CHUNK = 256 * 1024;

/** Resolves when the image is in the library, durable; rejects with hpsd's error, also in the middle: then nothing new is there. */
export async function uploadImage(
  call: UploadCall,
  image: BuiltImage,
  order: UploadOrder,
  options: CallOptions & UploadProgress,
): Promise<Image> {
  using _room = holdBufferRoom();
  const { onWanted, onBytes, ...callOptions } = options;
  const manifest = compressManifest(image.raw);
  const wanted = Promise.withResolvers<readonly WantedGroup[] | undefined>();
  const groups: WantedGroup[] = [];
  try {
    const requests = requestsOf(image, { ...beginOf(image, order), manifestBytes: BigInt(manifest.length) }, manifest, {
      wanted: wanted.promise,
      onBytes,
    });
    for await (const { message } of call(requests, { timeoutMs: LIMIT_MS, ...callOptions })) {
      if (message.case === "image") return sameImage(message.value, image.digest);
      if (message.case !== "wanted") continue;
      groups.push(groupOf(image.manifest.objects, message.value));
      if (!message.value.last) continue;
      onWanted({ newBytes: bytesOf(groups, false), againBytes: bytesOf(groups, true) });
      wanted.resolve(groups);
    }
  } finally {
    // Whoever waits for the answer is not to wait for ever.
    wanted.resolve(undefined);
  }
  throw new HpsError("data-loss", "hpsd ended the upload without an image");
}

/** What is shown, and then signed, is what was read here: not whatever hpsd answers. */
function sameImage(answer: Image, digest: string): Image {
  const stored = answer.source?.manifest?.digest ?? "";
  if (stored === digest) return answer;
  throw new HpsError(
    "data-loss",
    `hpsd says that ${quote(answer.name)} is ${quote(stored)}, and what was sent is ${digest}`,
    {
      hint: "sign nothing of it, and do not install it: hpsd, or what stands between, alters images",
    },
  );
}

function beginOf({ digest, system, kernel, lacks }: BuiltImage, order: UploadOrder) {
  return { ...order, digest, system, kernel, lacks: [...lacks] };
}

async function* requestsOf(
  image: BuiltImage,
  begin: MessageInitShape<typeof BeginUploadSchema>,
  manifest: Buffer,
  { wanted, onBytes }: { wanted: Promise<readonly WantedGroup[] | undefined>; onBytes: (count: number) => void },
): AsyncGenerator<Request, void> {
  yield { message: { case: "begin", value: begin } };
  for (const value of pieces(manifest)) yield { message: { case: "manifest", value } };
  const groups = await wanted;
  if (groups === undefined) return;
  for await (const { objects, rawBytes, bytes } of compressedFrames(groups, image.read)) {
    yield { message: { case: "frame", value: { objects, rawBytes, bytes: bytes.length } } };
    for (const value of pieces(bytes)) yield { message: { case: "data", value } };
    onBytes(rawBytes);
  }
  yield { message: { case: "finish", value: {} } };
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

function groupOf(all: readonly ImageObject[], { ranges, again }: WantedObjects): WantedGroup {
  const objects = ranges.flatMap(({ first, count }) => {
    const found = all.slice(first, first + count);
    if (found.length !== count) throw new HpsError("data-loss", "hpsd asks for objects that the image does not have");
    return found;
  });
  return { objects, again };
}

function bytesOf(groups: readonly WantedGroup[], again: boolean): number {
  const objects = groups.filter((group) => group.again === again).flatMap((group) => group.objects);
  return objects.reduce((sum, { length }) => sum + length, 0);
}
