import type { MessageInitShape } from "@bufbuild/protobuf";
import { ImageFormat } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { BeginUpload, UploadImageRequest, UploadImageResponseSchema } from "../../../proto/gen/hps/v1/image_pb.ts";
import { type Manifest, manifestBytes, parseManifest } from "../../../proto/image/manifest.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";

type Response = MessageInitShape<typeof UploadImageResponseSchema>;

/** An image as a library got it. */
interface Uploaded {
  readonly begin: BeginUpload;
  readonly manifest: Manifest;
  /** The content of its objects, in their order. */
  readonly objects: Buffer[];
}

/** A library that has nothing, asks for everything, and checks it. */
export function uploadLibrary() {
  const images: Uploaded[] = [];
  const uploadImage = async function* (requests: AsyncIterable<UploadImageRequest>): AsyncGenerator<Response, void> {
    const messages = requests[Symbol.asyncIterator]();
    const next = async () => {
      const result = await messages.next();
      return result.done === true ? undefined : result.value.message;
    };
    const first = await next();
    if (first?.case !== "begin") throw new Error("no begin");
    const begin = first.value;
    const take = async (kind: "manifest" | "data", size: number) => {
      const pieces: Uint8Array[] = [];
      for (let taken = 0; taken < size; taken += pieces.at(-1)?.length ?? 0) {
        const piece = await next();
        if (piece?.case !== kind) throw new Error(`no ${kind}`);
        pieces.push(piece.value);
      }
      return Buffer.concat(pieces);
    };
    const manifest = parseManifest(manifestBytes(await take("manifest", Number(begin.manifestBytes)), begin.digest));
    const count = manifest.objects.length;
    yield { message: { case: "wanted", value: { ranges: count === 0 ? [] : [{ first: 0, count }], last: true } } };
    const objects: Buffer[] = [];
    for (let message = await next(); message?.case === "frame"; message = await next()) {
      const own = manifest.objects.slice(objects.length, objects.length + message.value.objects);
      const { rawBytes, bytes } = message.value;
      objects.push(...openFrame(await take("data", bytes), { offset: 0, rawBytes, objects: own }));
    }
    images.push({ begin, manifest, objects });
    const { cluster, name, digest, lacks } = begin;
    const source = { format: ImageFormat.PACKS, manifest: { digest }, lacks };
    yield { message: { case: "image", value: { cluster, name, source } } };
  };
  return { uploadImage, images };
}
