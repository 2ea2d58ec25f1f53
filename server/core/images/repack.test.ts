import { hash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { compressFrame, openFrame } from "../../../proto/image/pack-frame.ts";
import { readPackIndex } from "./pack-frames.ts";
import { PackSeries } from "./pack-series.ts";
import { repack } from "./repack.ts";
import { noise } from "./testing-upload.ts";

/** Packs of frames of four objects; their names are `<pack>.<frame>.<object>`. */
async function packsOf(folder: string, frames: readonly number[]) {
  return await Promise.all(
    frames.map(async (count, pack) => {
      const series = new PackSeries(path.join(folder, `pack-${pack}`), "a test");
      for (let frame = 0; frame < count; frame += 1) {
        const contents = [0, 1, 2, 3].map((object) => noise(`${pack}.${frame}.${object}`, 1000));
        const objects = contents.map((content) => ({ digest: hash("sha256", content, "buffer"), length: 1000 }));
        series.append(await compressFrame(Buffer.concat(contents), 1), objects);
      }
      return series.finish()[0] ?? expect.unreachable();
    }),
  );
}

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "hps-repack-"));
  onTestFinished(async () => await rm(made, { recursive: true }));
  return made;
}

const nameOf = (digest: Buffer) => digest.toString("hex");
const digestOf = (name: string) => hash("sha256", noise(name, 1000));

test("frames of which most is needed stay as they are, and what is scattered is gathered, pack by pack", async () => {
  const at = await folder();
  const [one, two] = await packsOf(at, [4, 2]);
  if (one === undefined || two === undefined) return expect.unreachable();
  const live = [
    Uint8Array.from([1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1),
  ];
  const old = [one, two].map((file, pack) => ({ file, live: live[pack] ?? expect.unreachable() }));
  const { made, moved } = repack(old, path.join(at, "new"));
  expect([made.length, moved]).toEqual([1, [[0], [0]]]);
  const [pack] = made;
  const bytes = await readFile(pack?.path ?? "");
  expect(hash("sha256", bytes)).toBe(pack?.digest);
  const { frames } = readPackIndex(pack ?? expect.unreachable());
  const held = frames.map((frame) => {
    openFrame(bytes.subarray(frame.offset, frame.offset + frame.compressedBytes), frame);
    return frame.objects.map(({ digest }) => nameOf(digest));
  });
  const whole = [0, 1, 2, 3].map((object) => digestOf(`0.0.${object}`));
  expect(held).toEqual([whole, [digestOf("0.1.2"), digestOf("0.3.0")], [digestOf("1.1.3")]]);
  const before = await readFile(one.path);
  const [first] = readPackIndex(one).frames;
  expect(bytes.subarray(8, 8 + (first?.compressedBytes ?? 0))).toEqual(
    before.subarray(8, 8 + (first?.compressedBytes ?? 0)),
  );
});

test("a pack with a damaged frame is not moved, the others are", async () => {
  const at = await folder();
  const [one, two] = await packsOf(at, [2, 2]);
  if (one === undefined || two === undefined) return expect.unreachable();
  const bytes = await readFile(one.path);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  await writeFile(one.path, bytes);
  const live = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1);
  const { moved, made } = repack(
    [one, two].map((file) => ({ file, live })),
    path.join(at, "new"),
  );
  expect(moved).toEqual([undefined, [0]]);
  const objects = readPackIndex(made[0] ?? expect.unreachable()).frames.flatMap((frame) => frame.objects);
  expect(objects.map(({ digest }) => nameOf(digest))).toEqual([digestOf("1.0.0"), digestOf("1.1.3")]);
});
