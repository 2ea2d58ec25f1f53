/** Senders that do not what they said. Each is refused by name, and nothing of it is left. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { compressFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { openImageRig } from "./testing.ts";
import {
  framesOf,
  honest,
  noise,
  partsOf,
  type Sender,
  type TestFrame,
  type TestImage,
  testImage,
  upload,
} from "./testing-upload.ts";
import { type UploadAnnouncement, type UploadPart, UploadParts } from "./upload-order.ts";
import type { UploadPlan } from "./upload-work.ts";

const MIB = 1 << 20;
const IMAGE = testImage(Object.fromEntries(["a", "b", "c", "d", "e", "f"].map((name) => [name, noise(name, MIB)])));
const OLD = testImage({ a: noise("a", MIB) });

let rig: Awaited<ReturnType<typeof openImageRig>>;
beforeAll(async () => {
  rig = await openImageRig({ maxBytes: 32 * MIB });
  await upload({ uploads: rig.uploads, clusterId: rig.a, name: "old:1", image: OLD });
});
afterAll(async () => await rig[Symbol.asyncDispose]());

/** The honest frames, changed. */
function changed(change: (frames: TestFrame[]) => readonly TestFrame[] | Promise<readonly TestFrame[]>): Sender {
  return async function* (image, { fresh, again }) {
    const frames: TestFrame[] = [];
    for (const ranges of [fresh, again]) for await (const frame of framesOf(image, ranges)) frames.push(frame);
    for (const frame of await change(frames)) yield* partsOf(frame);
    yield { kind: "finish" };
  };
}

const first = (frames: readonly TestFrame[]) => frames[0] ?? expect.unreachable();
const flipped = (bytes: Buffer, at: number) => {
  const made = Buffer.from(bytes);
  made[at] = (made[at] ?? 0) ^ 1;
  return made;
};
const only = (...parts: readonly UploadPart[]): Sender =>
  async function* () {
    yield* parts;
  };

const SENDERS: Readonly<Record<string, readonly [Sender, RegExp]>> = {
  "content of other digests": [
    changed(async ([frame = expect.unreachable(), ...rest]) => [
      { ...frame, bytes: await compressFrame(noise("other", frame.rawBytes), 1) },
      ...rest,
    ]),
    /SHA-256/,
  ],
  "frames in another order": [changed((frames) => frames.toReversed()), /frame|SHA-256/],
  "a frame twice": [changed((frames) => [first(frames), ...frames]), /frame|SHA-256/],
  "a bit turned": [changed((frames) => [{ ...first(frames), bytes: flipped(first(frames).bytes, 5000) }]), /frame/],
  "a frame cut short": [
    changed((frames) => [{ ...first(frames), bytes: first(frames).bytes.subarray(0, 100_000) }]),
    /frame/,
  ],
  "more after the frame": [
    changed((frames) => [{ ...first(frames), bytes: Buffer.concat([first(frames).bytes, Buffer.alloc(9)]) }]),
    /frame/,
  ],
  "a frame that grows when it is opened": [
    changed(async (frames) => [{ ...first(frames), bytes: await compressFrame(Buffer.alloc(512 * MIB), 1) }]),
    /frame/,
  ],
  "another length than its objects": [changed((frames) => [{ ...first(frames), rawBytes: 5 }]), /has 5 bytes/],
  "no object": [changed((frames) => [{ ...first(frames), objects: 0 }]), /0 objects/],
  "more objects than are wanted": [changed((frames) => [{ ...first(frames), objects: 4_000_000_000 }]), /are to come/],
  "not all objects": [changed((frames) => frames.slice(0, 1)), /were not sent/],
  "nothing at all": [only({ kind: "finish" }), /were not sent/],
  "objects that were never wanted": [
    async function* (image, plan) {
      yield* await allButLast(honest(image, plan));
      for await (const frame of framesOf(image, [[0, 1]])) yield* partsOf(frame);
      yield { kind: "finish" };
    },
    /1 objects, and 0 are to come/,
  ],
  "an oversize frame": [only({ kind: "frame", objects: 4, rawBytes: 4 * MIB, bytes: 5 * MIB }), /5242880 bytes/],
  "a frame without bytes": [only({ kind: "frame", objects: 4, rawBytes: 4 * MIB, bytes: 0 }), /0 bytes/],
  "data that nobody announced": [only({ kind: "data", data: Buffer.from("x") }), /message with data/],
  "a manifest once more": [only({ kind: "manifest", data: IMAGE.stored }), /message with manifest/],
  "more data than announced": [
    only({ kind: "frame", objects: 1, rawBytes: MIB, bytes: 3 }, { kind: "data", data: Buffer.from("1234") }),
    /longer than the 3 bytes/,
  ],
  "data in empty pieces": [
    only({ kind: "frame", objects: 1, rawBytes: MIB, bytes: 3 }, { kind: "data", data: Buffer.alloc(0) }),
    /empty pieces/,
  ],
  "the end of the stream": [only(), /cut off/],
  "the end of the stream within a frame": [
    only({ kind: "frame", objects: 1, rawBytes: MIB, bytes: 3 }, { kind: "data", data: Buffer.from("1") }),
    /cut off/,
  ],
};

async function allButLast(parts: AsyncIterable<UploadPart>): Promise<readonly UploadPart[]> {
  const all: UploadPart[] = [];
  for await (const part of parts) all.push(part);
  return all.slice(0, -1);
}

async function expectNothingLeft(): Promise<void> {
  expect(await rig.files("manifests")).toEqual([OLD.digest]);
  expect(await rig.files("packs")).toHaveLength(1);
  expect((await rig.audited()).length).toBe(1);
  const { images } = await rig.images.list({ clusters: "all", shared: true, limit: 9 });
  expect(images.map(({ name }) => name)).toEqual(["old:1"]);
  expect(await rig.store.read((db) => db.selectFrom("pack").select("digest").execute())).toHaveLength(1);
  expect(rig.failures).toEqual([]);
}

const brought = async (send: Sender, image: TestImage = IMAGE, change: Partial<UploadAnnouncement> = {}) =>
  await upload({ uploads: rig.uploads, clusterId: rig.a, name: "new:1", image, send, change });

test.each(Object.keys(SENDERS))("%s", async (what) => {
  const [send, message] = SENDERS[what] ?? expect.unreachable();
  await expect(brought(send)).rejects.toMatchObject({ code: "invalid", message: expect.stringMatching(message) });
  await expectNothingLeft();
});

test("new objects and others in one frame", async () => {
  // Most of the old pack is not of this image: what is, is wanted again.
  const big = testImage(Object.fromEntries(["o", "p", "q", "r"].map((name) => [name, noise(name, MIB)])));
  await upload({ uploads: rig.uploads, clusterId: rig.b, name: "big:1", image: big });
  const image = testImage({ n: noise("n", MIB), o: noise("o", MIB) });
  let planned: UploadPlan | undefined;
  const send: Sender = async function* (sent, plan) {
    planned = plan;
    for await (const frame of framesOf(sent, [...plan.fresh, ...plan.again])) yield* partsOf(frame);
    yield { kind: "finish" };
  };
  const both = upload({ uploads: rig.uploads, clusterId: rig.b, name: "new:1", image, send });
  await expect(both).rejects.toMatchObject({ code: "invalid", message: expect.stringMatching(/1 are to come/) });
  expect(planned).toMatchObject({ fresh: [[0, 1]], again: [[1, 1]] });
  await rig.store.write(async (tx) => {
    for (const table of ["image", "image_pack", "pack"] as const) {
      await tx.deleteFrom(table).where("library", "=", rig.b).execute();
    }
    await tx.deleteFrom("audit").where("cluster_id", "=", rig.b).execute();
  });
  await rig.filing.collect();
  await expectNothingLeft();
});

const MANIFESTS: Readonly<Record<string, readonly [TestImage, RegExp]>> = {
  "of another image": [{ ...IMAGE, stored: OLD.stored }, /manifest/],
  "cut short": [{ ...IMAGE, stored: IMAGE.stored.subarray(0, 100) }, /manifest/],
  "with a bit turned": [{ ...IMAGE, stored: flipped(IMAGE.stored, IMAGE.stored.length - 20) }, /manifest/],
  "that is none": [{ ...IMAGE, stored: noise("none", 1000) }, /manifest/],
};

test.each(Object.keys(MANIFESTS))("a manifest %s", async (what) => {
  const [image, message] = MANIFESTS[what] ?? expect.unreachable();
  await expect(brought(honest, image)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringMatching(message),
  });
  await expectNothingLeft();
});

test("announcements of what no image can be", async () => {
  for (const change of [
    ...[{ digest: "ABC" }, { digest: "../../etc/passwd" }, { name: "debian" }, { name: `sha256:${"a".repeat(64)}` }],
    ...[{ manifestBytes: 0n }, { manifestBytes: -1n }, { manifestBytes: 2n ** 40n }, { lacks: ["roof"] }],
  ]) {
    await expect(brought(honest, IMAGE, change)).rejects.toMatchObject({ code: "invalid" });
  }
  await expectNothingLeft();
});

test("a sender that stalls", async () => {
  const send: Sender = async function* () {
    yield { kind: "frame", objects: 1, rawBytes: MIB, bytes: 3 };
    throw new HpsError("deadline", "the sender stalls");
  };
  await expect(brought(send)).rejects.toMatchObject({ code: "deadline" });
  await expectNothingLeft();
});

test("a sender that sends a little now and then", async () => {
  let now = 0;
  const parts = new UploadParts(
    {
      next: async () => {
        now += 50_000;
        return { value: { kind: "manifest", data: Buffer.from("x") } };
      },
    },
    () => now,
  );
  const read = async () => {
    let count = 0;
    for await (const piece of parts.manifest(1_000_000)) count += piece.length;
    return count;
  };
  await expect(read()).rejects.toMatchObject({
    code: "deadline",
    message: expect.stringMatching(/slower than 16 KiB/),
  });
  expect(now).toBeLessThan(5 * 60_000);
});

test("more than hpsd takes", async () => {
  const names = Array.from({ length: 40 }, (_, at) => `large-${at}`);
  const image = testImage(Object.fromEntries(names.map((name) => [name, noise(name, MIB)])));
  await expect(brought(honest, image)).rejects.toMatchObject({
    code: "exhausted",
    message: expect.stringMatching(/more than 32 MiB/),
    hint: expect.stringMatching(/limits.imageSize/),
  });
  await expectNothingLeft();
});

test("more than its library may keep", async () => {
  await using small = await openImageRig({ maxBytes: 32 * MIB, librarySize: 8 * MIB });
  const bring = async (image: TestImage, name: string, clusterId = small.a) =>
    await upload({ uploads: small.uploads, clusterId, name, image });
  await bring(IMAGE, "first:1");
  const next = testImage(Object.fromEntries(["x", "y", "z"].map((name) => [name, noise(name, MIB)])));
  await expect(bring(next, "next:1")).rejects.toMatchObject({
    code: "exhausted",
    hint: expect.stringMatching(/limits.librarySize of hpsd's configuration is 8 MiB, and .* are left/),
  });
  expect(await small.files("packs")).toHaveLength(1);
  // Another library has its own, and what is there already costs nothing.
  await bring(next, "next:1", small.b);
  await bring(IMAGE, "second:1");
});

test("more at once than hpsd has threads for, and all of them let go", async () => {
  const held = Promise.withResolvers<void>();
  const waiting: Sender = async function* () {
    await held.promise;
    yield { kind: "finish" };
  };
  const begun = Array.from({ length: 8 }, (_, at) =>
    upload({ uploads: rig.uploads, clusterId: rig.a, name: `held:${at}`, image: IMAGE, send: waiting }),
  );
  const ended = Promise.allSettled(begun);
  await expect.poll(async () => (await rig.files("manifests")).length, { timeout: 20_000 }).toBe(9);
  await expect(brought(honest)).rejects.toMatchObject({ code: "exhausted", message: expect.stringMatching(/already/) });
  held.resolve();
  expect((await ended).map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => "rejected"));
  await expectNothingLeft();
});
