import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  BeginUpload,
  GetManifestResponseSchema,
  ImageService,
  UploadImageRequest,
  UploadImageResponseSchema,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { firstMessage, nextMessage } from "../../proto/rpc/first-message.ts";
import type { CallContext, Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseImageName, parseImageRef } from "../../proto/values/image-ref.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { Collector } from "../core/images/collector.ts";
import type { Deltas } from "../core/images/deltas.ts";
import type { ImageTrust } from "../core/images/image-trust.ts";
import type { Images, ImageView } from "../core/images/images.ts";
import { type ManifestPart, manifestParts, packBytes } from "../core/images/manifest-parts.ts";
import type { PassingNames } from "../core/images/passing-names.ts";
import { parseUploadOrder, type UploadPart, UploadParts } from "../core/images/upload-order.ts";
import type { ObjectRange, UploadPlan } from "../core/images/upload-work.ts";
import type { Uploads } from "../core/images/uploads.ts";
import type { Verifier } from "../core/images/verifier.ts";
import { imageMessage, packMessage } from "./image-message.ts";

export interface ImageServiceDeps {
  readonly access: Access;
  readonly images: Images;
  readonly uploads: Uploads;
  readonly collector: Collector;
  readonly passingNames: PassingNames;
  readonly imageTrust: ImageTrust;
  readonly verifier: Verifier;
  readonly deltas: Deltas;
}

type Methods = Pick<Handlers<typeof ImageService, Caller>, "uploadImage" | "getManifest" | "readPack">;

/** The largest image over a slow line; a thread waits for it meanwhile. */
const LONGEST_UPLOAD_MS = 12 * 60 * 60 * 1000;
/** So many ranges fit into a message by far. */
const RANGES = 4096;

/** The methods of ImageService about images of packs. */
export function packMethods({ access, images, imageTrust, uploads, deltas }: ImageServiceDeps): Methods {
  return {
    uploadImage: async function* (requests, context) {
      using _ = endAfter(context, LONGEST_UPLOAD_MS);
      const { principal: caller } = context;
      const messages = requests[Symbol.asyncIterator]();
      const { message } = await firstMessage(messages);
      if (message.case !== "begin") throw new HpsError("invalid", "the first message begins no upload");
      const { cluster, name } = message.value;
      const clusterId = await libraryOf(access, caller, cluster, name);
      const order = parseUploadOrder(announcementOf(message.value));
      const parts = new UploadParts({ next: async () => partOf(await nextMessage(messages)) });
      const { deltaBase } = message.value;
      if (deltaBase !== "") parseImageRef(deltaBase);
      for await (const answer of uploads.take({ caller, clusterId }, order, parts)) {
        if (answer.kind === "image") deltas.offer(answer.image, clusterId, deltaBase);
        if (answer.kind === "image") {
          yield { message: { case: "image", value: imageMessage(await withSigners(imageTrust, answer.image)) } };
        } else yield* wantedMessages(answer.plan);
      }
    },

    getManifest: async function* ({ cluster, name, indexes }, { principal: caller }) {
      const image = await images.get(await clusterOf(access, caller, cluster), name);
      const packs = await images.packsOf(image);
      const parts = manifestParts(images, image, indexes ? packs : []);
      yield {
        message: {
          case: "image",
          value: imageMessage({
            ...(await withSigners(imageTrust, image)),
            packs,
            deltas: await images.deltasOf(image),
          }),
        },
      };
      for await (const part of parts) yield { message: manifestMessage(part) };
    },

    readPack: async function* ({ cluster, name, pack, offset, bytes }, { principal: caller }) {
      const packs = await images.packsOf(await images.get(await clusterOf(access, caller, cluster), name));
      const wanted = { digest: pack, offset: Number(offset), length: Number(bytes) };
      for await (const data of packBytes(images, packs, wanted)) yield { data };
    },
  };
}

/** With who signed it. */
export async function withSigners(imageTrust: ImageTrust, image: ImageView) {
  return { ...image, signers: (await imageTrust.signersOf([image])).get(image.id) ?? [] };
}

/** Whose library is asked before the shared one: nobody's when no cluster is named. */
export async function clusterOf(access: Access, caller: Caller, cluster: string): Promise<string | undefined> {
  return cluster === "" ? undefined : (await access.cluster(caller, cluster)).id;
}

/** In which library a name stands that is to change: a cluster's, by its id, or undefined for the shared one. */
export async function libraryOf(
  access: Access,
  caller: Caller,
  cluster: string,
  name: string,
): Promise<string | undefined> {
  if (!parseImageName(name).shared) return (await access.cluster(caller, cluster)).id;
  await access.shared(caller);
  return undefined;
}

/** Whose library is changed as a whole: a cluster's, by its id, or undefined for the shared one. */
export async function ownLibrary(access: Access, caller: Caller, cluster: string): Promise<string | undefined> {
  if (cluster !== "") return (await access.cluster(caller, cluster)).id;
  await access.shared(caller);
  return undefined;
}

function endAfter({ end }: CallContext<Caller>, ms: number): Disposable {
  const timer = setTimeout(() => end(new HpsError("deadline", `no image takes ${ms / 3_600_000} h`)), ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Null: never. */
export function expiryOf(expireTime: Timestamp | undefined): number | null {
  return expireTime === undefined ? null : timestampMs(expireTime);
}

function announcementOf({ name, digest, manifestBytes, system, kernel, lacks, move, expireTime }: BeginUpload) {
  return { name, digest, manifestBytes, system, kernel, lacks, move, expiresAt: expiryOf(expireTime) };
}

function partOf(next: IteratorResult<UploadImageRequest>): IteratorResult<UploadPart> {
  if (next.done === true) return { done: true, value: undefined };
  const { message } = next.value;
  switch (message.case) {
    case "manifest":
    case "data":
      return { value: { kind: message.case, data: message.value } };
    case "frame":
      return { value: { kind: "frame", ...message.value } };
    case "finish":
      return { value: { kind: "finish" } };
    default:
      throw new HpsError("invalid", "a message after the first is of no upload");
  }
}

type AnswerMessage = MessageInitShape<typeof UploadImageResponseSchema>;

/** New objects first; the last message says that it is. */
function* wantedMessages({ fresh, again }: UploadPlan): Generator<AnswerMessage> {
  const wanted = (ranges: readonly ObjectRange[], isAgain: boolean, last: boolean): AnswerMessage => ({
    message: {
      case: "wanted",
      value: { ranges: ranges.map(([first, count]) => ({ first, count })), again: isAgain, last },
    },
  });
  for (let at = 0; at < fresh.length; at += RANGES) yield wanted(fresh.slice(at, at + RANGES), false, false);
  for (let at = 0; at < again.length; at += RANGES) yield wanted(again.slice(at, at + RANGES), true, false);
  yield wanted([], again.length > 0, true);
}

type ManifestMessage = NonNullable<MessageInitShape<typeof GetManifestResponseSchema>["message"]>;

function manifestMessage(part: ManifestPart): ManifestMessage {
  if (part.kind === "pack") return { case: "pack", value: packMessage(part.pack) };
  return { case: part.kind, value: part.data };
}
