/** A real hpsd, and images of packs that come while it is killed, while its disk fills, and with each other. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { filesIn, imageOf, names, upload, verified } from "./packs-library.ts";
import { damageOf, startHpsd, until } from "./real-hpsd.ts";
import { smallDisk } from "./small-disk.ts";

const MIB = 1 << 20;

test("hpsd that is killed while images come has each whole or not at all, and takes it again", async () => {
  await using hpsd = await startHpsd();
  const base = names("base", 8);
  await upload(hpsd.admin, "base:1", imageOf(base));
  const outcomes = new Set<string>();
  for (let round = 0; round < 4; round += 1) {
    const admin = await hpsd.connect();
    const images = [0, 1].map((who) => imageOf([...base.slice(who), ...names(`round-${round}.${who}`, 24)]));
    const nameOf = (who: number) => `round:${round}.${who}`;
    const arriving = Promise.allSettled(images.map(async (image, who) => await upload(admin, nameOf(who), image)));
    await until("something arrives", 20_000, () => filesIn(hpsd).some((name) => name.startsWith("packs/incoming-")));
    await sleep(Math.random() * 400);
    await hpsd.program().stop("SIGKILL");
    await arriving;
    await hpsd.start();
    const again = await hpsd.connect();
    // Nothing lies there that nobody needs, but what no name needs any more and may still be read.
    expect(await verified(hpsd, again)).toEqual(filesIn(hpsd));
    const { images: listed } = await again.images.listImages({ cluster: "lab", pageSize: 1000 });
    for (const [who, image] of images.entries()) {
      outcomes.add(listed.some(({ name }) => name === nameOf(who)) ? "came" : "was cut off");
      expect(await upload(again, nameOf(who), image)).toMatchObject({ name: nameOf(who) });
    }
    expect(await verified(hpsd, again)).toEqual(filesIn(hpsd));
  }
  expect(outcomes).toContain("was cut off");
  expect(await hpsd.program().stop()).toBe(0);
  expect(await damageOf(hpsd)).toEqual([]);
});

test("many that bring overlapping images at once, by turns with deletions, leave a whole library", async () => {
  await using hpsd = await startHpsd();
  const pool = names("pool", 24);
  const importers = Array.from({ length: 5 }, async (_, who) => {
    const hps = await hpsd.connect();
    for (let round = 0; round < 4; round += 1) {
      const own = pool.filter((_name, at) => (at * (who + 3) + round) % 5 < 3);
      await upload(hps, `image:${who}.${round}`, imageOf([...own, `own-${who}-${round}`], MIB / 4));
      if (round > 1) await hps.images.deleteImage({ cluster: "lab", name: `image:${who}.${round - 2}` });
    }
  });
  await Promise.all(importers);
  const needed = await verified(hpsd, hpsd.admin);
  // Packs that no image needs any more stay for an hour, for who was told of them.
  for (const file of needed) expect(filesIn(hpsd)).toContain(file);
  expect(filesIn(hpsd).filter((name) => name.startsWith("manifests/"))).toHaveLength(10);
  await hpsd.program().stop();
  expect((await hpsd.run("check")).stdout).toMatch(/ok {7}images/);
});

test("hpsd that is killed while it collects has the old packs or the new ones, whole, and collects again", async () => {
  await using hpsd = await startHpsd();
  const outcomes = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const admin = await hpsd.connect();
    // Of ten frames the one image needs all, the other three: two thirds of the pack are waste then.
    const all = names(`round-${round}`, 40);
    const kept = imageOf(all.slice(0, 12));
    await upload(admin, "all:1", imageOf(all));
    await upload(admin, `kept:${round}`, kept);
    await admin.images.deleteImage({ cluster: "lab", name: "all:1" });
    const collecting = admin.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 }).catch(() => undefined);
    if (round > 0)
      await until("it makes a pack", 20_000, () => filesIn(hpsd).some((name) => name.includes("/incoming-")));
    await sleep(Math.random() * 50 * round);
    await hpsd.program().stop("SIGKILL");
    outcomes.add((await collecting) === undefined ? "killed" : "done");
    const torn = filesIn(hpsd).filter((name) => name.includes("incoming-"));
    await hpsd.start();
    const again = await hpsd.connect();
    for (const file of await verified(hpsd, again)) expect(filesIn(hpsd)).toContain(file);
    // A new one may be on its way: hpsd collects by itself too.
    expect(filesIn(hpsd).filter((name) => torn.includes(name))).toEqual([]);
    expect(await again.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 })).toMatchObject({
      damagedPacks: [],
    });
    const { retiredPacks } = await again.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 });
    expect(retiredPacks).toBe(0);
    expect(filesIn(hpsd).filter((name) => name.includes("incoming-"))).toEqual([]);
    for (const file of await verified(hpsd, again)) expect(filesIn(hpsd)).toContain(file);
  }
  expect(outcomes).toContain("killed");
  await hpsd.program().stop();
  expect(await damageOf(hpsd)).toEqual([]);
});

test("an image for which there is no room is refused with what to do, at once or where it grows, and leaves nothing", async () => {
  using mounted = smallDisk(32);
  const disk = mounted.path;
  await using hpsd = await startHpsd({ state: path.join(disk, "state") });
  const { admin } = hpsd;
  const full = { code: "exhausted", message: expect.stringMatching(/no room for image \w+:1/) };
  // However well it were compressed it could not fit; what may fit is taken until it does not.
  await expect(upload(admin, "huge:1", imageOf(names("huge", 300)))).rejects.toMatchObject(full);
  await expect(upload(admin, "large:1", imageOf(names("large", 40)))).rejects.toMatchObject(full);
  expect(filesIn(hpsd)).toEqual([]);
  writeFileSync(path.join(disk, "ballast"), Buffer.alloc(18 * MIB));
  await expect(upload(admin, "next:1", imageOf(names("next", 12)))).rejects.toMatchObject(full);
  expect(filesIn(hpsd)).toEqual([]);
  rmSync(path.join(disk, "ballast"));
  expect(await upload(admin, "fits:1", imageOf(names("fits", 4)))).toMatchObject({ name: "fits:1" });
  expect(await verified(hpsd, admin)).toEqual(filesIn(hpsd));
  expect(await admin.hosts.listHosts({})).toMatchObject({ hosts: [] });
});

test("a backup brings images of packs back; without them hpsd says what is to be imported again, and takes it", async () => {
  await using hpsd = await startHpsd();
  const image = imageOf(names("file", 3));
  await upload(hpsd.admin, "debian:12", image);
  const files = filesIn(hpsd);
  const [whole, without] = [path.join(hpsd.folder, "whole"), path.join(hpsd.folder, "without")];
  expect(await hpsd.run("backup", whole)).toMatchObject({ code: 0 });
  expect(await hpsd.run("backup", without, "--without-images")).toMatchObject({ code: 0 });
  for (const from of [without, whole]) {
    await hpsd.program().stop();
    rmSync(hpsd.state, { recursive: true });
    expect(await hpsd.run("restore", from)).toMatchObject({ code: 0 });
    const { stdout } = await hpsd.run("check");
    expect(stdout).toMatch(from === whole ? /ok {7}images/ : /problem {2}images: files are gone: lab\/debian:12/);
    await hpsd.start();
    const admin = await hpsd.connect();
    expect(await upload(admin, "debian:12", image)).toMatchObject({ name: "debian:12" });
    expect(await verified(hpsd, admin)).toEqual(files);
  }
});
