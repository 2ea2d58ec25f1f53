import { randomBytes } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type UploadImageRequestSchema, UploadImageResponseSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { manifestBytes, parseManifest } from "../../proto/image/manifest.ts";
import type { ImageObject } from "../../proto/image/manifest-entry.ts";
import { openFrame } from "../../proto/image/pack-frame.ts";
import { rawTar } from "../../proto/tree/testing/raw-tar.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { imageOfTar } from "./testing/built.ts";
import { uploadImage } from "./upload.ts";

type Request = MessageInitShape<typeof UploadImageRequestSchema>;
type Response = MessageInitShape<typeof UploadImageResponseSchema>;

interface Range {
  readonly first: number;
  readonly count: number;
}

const contents = [
  ...Array.from({ length: 40 }, (_, index) => Buffer.alloc(300_000 + index, index)),
  randomBytes(9 << 20),
];
const ARCHIVE = rawTar(contents.map((content, index) => ({ name: `file-${String(index).padStart(2, "0")}`, content })));

/** A library that asks for ranges and keeps what it is sent; at the end it answers with this digest, or with the one it was told. */
function library(wanted: readonly { readonly ranges: readonly Range[]; readonly again: boolean }[], answered?: string) {
  const frames: { objects: number; rawBytes: number; pieces: Uint8Array[] }[] = [];
  const manifest: Uint8Array[] = [];
  const seen: string[] = [];
  const answer = (message: NonNullable<Response["message"]>) => create(UploadImageResponseSchema, { message });
  const call = async function* (requests: AsyncIterable<Request>) {
    let missing = 0;
    let digest = answered;
    for await (const { message } of requests) {
      seen.push(message?.case ?? "");
      if (message?.case === "begin") {
        missing = Number(message.value.manifestBytes);
        digest ??= message.value.digest ?? "";
      } else if (message?.case === "manifest") {
        manifest.push(message.value);
        missing -= message.value.length;
        if (missing > 0) continue;
        for (const [index, { ranges, again }] of wanted.entries()) {
          yield answer({ case: "wanted", value: { ranges: [...ranges], again, last: index === wanted.length - 1 } });
        }
      } else if (message?.case === "frame") {
        frames.push({ objects: message.value.objects ?? 0, rawBytes: message.value.rawBytes ?? 0, pieces: [] });
      } else if (message?.case === "data") frames.at(-1)?.pieces.push(message.value);
      else if (message?.case === "finish") {
        yield answer({ case: "image", value: { name: "a:1", source: { manifest: { digest: digest ?? "" } } } });
      }
    }
  };
  return { call, frames, manifest, seen };
}

const progress = () => {
  const heard = { newBytes: 0, againBytes: 0, sent: 0 };
  const onWanted = (wanted: object) => void Object.assign(heard, wanted);
  const onBytes = (count: number) => {
    heard.sent += count;
  };
  return { heard, onWanted, onBytes };
};

test("an answer that names another image than was sent is an error: people sign what is shown", async () => {
  using image = await imageOfTar(ARCHIVE);
  const { call } = library([{ ranges: [{ first: 0, count: 43 }], again: false }], "0".repeat(64));
  const upload = uploadImage(call, image, { cluster: "lab", name: "a:1" }, progress());
  await expect(upload).rejects.toMatchObject({ code: "data-loss", message: expect.stringContaining(image.digest) });
});

test("what hpsd asks for comes in frames that it can check, in its order", async () => {
  using image = await imageOfTar(ARCHIVE);
  const { objects } = image.manifest;
  expect(objects).toHaveLength(43);
  const wanted = [
    {
      ranges: [
        { first: 0, count: 20 },
        { first: 25, count: 18 },
      ],
      again: false,
    },
    { ranges: [{ first: 20, count: 5 }], again: true },
  ];
  const { call, frames, manifest, seen } = library(wanted);
  const { heard, onWanted, onBytes } = progress();
  const stored = await uploadImage(call, image, { cluster: "lab", name: "a:1" }, { onWanted, onBytes });
  expect(stored.name).toBe("a:1");
  expect(parseManifest(manifestBytes(Buffer.concat(manifest), image.digest)).objects).toHaveLength(43);
  expect(seen.at(-1)).toBe("finish");
  const expected = [...objects.slice(0, 20), ...objects.slice(25), ...objects.slice(20, 25)];
  const opened = openAll(frames, expected);
  expect(opened.map((bytes) => bytes.length)).toEqual(expected.map(({ length }) => length));
  // The last of what is new and the first of what is not lie in two frames.
  const ends = frames.map((_, index) => frames.slice(0, index + 1).reduce((sum, frame) => sum + frame.objects, 0));
  expect(ends).toContain(38);
  const again = objects.slice(20, 25).reduce((sum, { length }) => sum + length, 0);
  expect(heard).toMatchObject({ againBytes: again, newBytes: heard.sent - again });
});

function openAll(frames: ReturnType<typeof library>["frames"], expected: readonly ImageObject[]): Buffer[] {
  let at = 0;
  return frames.flatMap(({ objects, rawBytes, pieces }) => {
    const own = expected.slice(at, at + objects);
    at += objects;
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024);
    return openFrame(Buffer.concat(pieces), { offset: 0, rawBytes, objects: own });
  });
}

test("an image that is there is answered at once, with nothing sent", async () => {
  using image = await imageOfTar(ARCHIVE);
  const call = async function* () {
    const value = { name: "a:1", source: { manifest: { digest: image.digest } } };
    yield create(UploadImageResponseSchema, { message: { case: "image", value } });
  };
  expect((await uploadImage(call, image, { cluster: "lab", name: "a:1" }, progress())).name).toBe("a:1");
});

test("an error of hpsd's ends it, whatever was on its way", async () => {
  using image = await imageOfTar(ARCHIVE);
  const { call: take } = library([{ ranges: [{ first: 0, count: 43 }], again: false }]);
  const call = async function* (requests: AsyncIterable<Request>) {
    for await (const response of take(requests)) {
      yield response;
      throw new HpsError("exhausted", "the disk is full");
    }
  };
  await expect(uploadImage(call, image, { cluster: "lab", name: "a:1" }, progress())).rejects.toThrow(
    "the disk is full",
  );
});

test("an answer that asks for what the image has not is no answer", async () => {
  using image = await imageOfTar(ARCHIVE);
  const { call } = library([{ ranges: [{ first: 40, count: 9 }], again: false }]);
  await expect(uploadImage(call, image, { cluster: "lab", name: "a:1" }, progress())).rejects.toMatchObject({
    code: "data-loss",
  });
});
