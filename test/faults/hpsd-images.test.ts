import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import { damageOf, type RealHpsd, startHpsd, until } from "./real-hpsd.ts";
import { smallDisk } from "./small-disk.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const MIB = 1024 * 1024;

function imageOf(name: string, archive: Buffer) {
  const file = { digest: sha256(archive), sizeBytes: BigInt(archive.length) };
  return { cluster: "lab", name, source: { file, format: ImageFormat.TAR, contentBytes: 1n, entries: 1n } };
}

const FILES = ["kernel", "initrd.img", "tools.squashfs"] as const;

function installerOf(version: string, files: readonly Buffer[]) {
  const listed = FILES.map((name, index) => {
    const bytes = files[index] ?? Buffer.alloc(0);
    return { name, file: { digest: sha256(bytes), sizeBytes: BigInt(bytes.length) } };
  });
  return { version, files: listed };
}

async function* pieces(bytes: Buffer, between: () => Promise<unknown> = async () => undefined) {
  for (let at = 0; at < bytes.length; at += 64 * 1024) {
    yield bytes.subarray(at, at + 64 * 1024);
    await between();
  }
}

function filesIn({ state }: RealHpsd, folder: string): readonly string[] {
  const entries = readdirSync(path.join(state, folder), { withFileTypes: true });
  // Beside archives the folder holds those of images of packs.
  return entries
    .filter((entry) => entry.isFile() || folder !== "images")
    .map(({ name }) => name)
    .sort();
}

const importImage = async (hps: Hps, name: string, archive: Buffer) =>
  await hps.importImage(imageOf(name, archive), pieces(archive));

test("hpsd that is killed while images and installers arrive has each whole or not at all", async () => {
  await using hpsd = await startHpsd();
  const kept = randomBytes(MIB);
  await importImage(hpsd.admin, "kept:1", kept);
  const first = FILES.map(() => randomBytes(MIB));
  await hpsd.admin.importInstaller(installerOf("0.0.1", first), pieces(Buffer.concat(first)));
  const outcomes = new Set<string>();
  for (let round = 0; round < 6; round += 1) {
    const admin = await hpsd.connect();
    const archive = randomBytes(8 * MIB);
    const files = FILES.map(() => randomBytes(2 * MIB));
    const arriving = Promise.allSettled([
      importImage(admin, `round:${round}`, archive),
      admin.importInstaller(installerOf(`0.1.${round}`, files), pieces(Buffer.concat(files))),
    ]);
    await until(
      "something arrives",
      10_000,
      () => filesIn(hpsd, "images").some((name) => name.startsWith("incoming-")) || hasImage(hpsd, archive),
    );
    await sleep(Math.random() * 200);
    await hpsd.program().stop("SIGKILL");
    await arriving;
    await hpsd.start();
    const again = await hpsd.connect();
    const { images } = await again.images.listImages({ cluster: "lab", pageSize: 1000 });
    const named = new Set(images.map(({ source }) => source?.file?.digest ?? ""));
    expect(filesIn(hpsd, "images")).toEqual([...named].sort());
    for (const digest of named) expect(sha256(readFileSync(path.join(hpsd.state, "images", digest)))).toBe(digest);
    const current = await again.installers.getInstaller({});
    // Whatever was replaced is gone with the process that knew that machines may be on their way to it.
    expect(filesIn(hpsd, "boot/sets")).toEqual([current.digest]);
    for (const { name, file } of current.files) {
      const bytes = readFileSync(path.join(hpsd.state, "boot/sets", current.digest, name));
      expect(sha256(bytes)).toBe(file?.digest);
    }
    outcomes.add(named.has(sha256(archive)) ? "image came" : "image was cut off");
    // The same again is what an operator does, and it is taken.
    expect(await importImage(again, `round:${round}`, archive)).toMatchObject({ name: `round:${round}` });
    await again.images.deleteImage({ cluster: "lab", name: `round:${round}` });
  }
  expect(outcomes).toContain("image was cut off");
  expect(await hpsd.program().stop()).toBe(0);
  expect(await damageOf(hpsd)).toEqual([]);
});

function hasImage(hpsd: RealHpsd, archive: Buffer): boolean {
  return filesIn(hpsd, "images").includes(sha256(archive));
}

test("many that bring their image slowly hold up nobody", async () => {
  await using hpsd = await startHpsd();
  const done = Promise.withResolvers<void>();
  const slow = Array.from({ length: 16 }, async (_, index) => {
    const hps = await hpsd.connect();
    const archive = randomBytes(256 * 1024);
    return await hps.importImage(
      imageOf(`slow:${index}`, archive),
      pieces(archive, async () => await done.promise),
    );
  });
  await until("all begun", 20_000, () => filesIn(hpsd, "images").length === 16);
  const began = performance.now();
  const quick = randomBytes(4 * MIB);
  const made = await importImage(hpsd.admin, "quick:1", quick);
  // The same again is answered before its data has come; another one is refused as soon.
  expect(await importImage(hpsd.admin, "quick:1", quick)).toEqual(made);
  await expect(importImage(hpsd.admin, "quick:1", randomBytes(4 * MIB))).rejects.toMatchObject({ code: "exists" });
  const took = performance.now() - began;
  done.resolve();
  expect(await Promise.all(slow)).toHaveLength(16);
  expect(took).toBeLessThan(10_000);
});

test("an image for which there is no room is refused with what to do, and takes none", async () => {
  using mounted = smallDisk(24);
  const disk = mounted.path;
  await using hpsd = await startHpsd({ state: path.join(disk, "state") });
  const { admin } = hpsd;
  const full = { code: "exhausted", message: expect.stringMatching(/no room for image large:1/) };
  const large = randomBytes(30 * MIB);
  await expect(importImage(admin, "large:1", large)).rejects.toMatchObject(full);
  // Announced small, it is cut off where it grows; of what was promised to others nothing is lost.
  const said = imageOf("lying:1", large.subarray(0, MIB));
  await expect(admin.importImage(said, pieces(large))).rejects.toMatchObject({ code: "invalid" });
  writeFileSync(path.join(disk, "ballast"), Buffer.alloc(12 * MIB));
  await expect(importImage(admin, "large:1", large.subarray(0, 12 * MIB))).rejects.toMatchObject(full);
  expect(filesIn(hpsd, "images")).toEqual([]);
  rmSync(path.join(disk, "ballast"));
  expect(await importImage(admin, "fits:1", large.subarray(0, 4 * MIB))).toMatchObject({ name: "fits:1" });
  expect(await admin.hosts.listHosts({})).toMatchObject({ hosts: [] });
});

test("a backup brings images and installer back; without them hpsd says what is to be imported again", async () => {
  await using hpsd = await startHpsd();
  const archive = randomBytes(MIB);
  const files = FILES.map(() => randomBytes(1000));
  await importImage(hpsd.admin, "debian:12", archive);
  const { digest } = await hpsd.admin.importInstaller(installerOf("0.0.1", files), pieces(Buffer.concat(files)));
  const [whole, without] = [path.join(hpsd.folder, "whole"), path.join(hpsd.folder, "without")];
  expect(await hpsd.run("backup", whole)).toMatchObject({ code: 0 });
  const bare = await hpsd.run("backup", without, "--without-images");
  expect(bare).toMatchObject({ code: 0, stdout: expect.stringMatching(/no images and no installer/) });
  expect(readdirSync(without)).not.toContain("images");
  for (const from of [without, whole]) {
    await hpsd.program().stop();
    rmSync(hpsd.state, { recursive: true });
    expect(await hpsd.run("restore", from)).toMatchObject({ code: 0 });
    const { stdout } = await hpsd.run("check");
    expect(stdout).toMatch(from === whole ? /ok {7}images/ : /problem {2}images: files are gone: lab\/debian:12/);
    await hpsd.start();
  }
  const admin = await hpsd.connect();
  expect(readFileSync(path.join(hpsd.state, "images", sha256(archive))).equals(archive)).toBe(true);
  expect(await admin.installers.getInstaller({})).toMatchObject({ digest });
});
