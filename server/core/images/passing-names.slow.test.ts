import { expect, test } from "vitest";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { openImageRig } from "./testing.ts";
import { noise, testImage, upload } from "./testing-upload.ts";
import { keepTags as keep } from "./testing-whole.ts";

const WHO = { actor: "alice", action: "image.collect", address: "" };

test("the base of a delta goes by the rule and takes the delta along, unless a host runs it; packs that others need stay", async () => {
  await using rig = await openImageRig({ maxBytes: 64 << 20 });
  const content = noise("content", 1 << 20);
  const images = [1, 2, 3].map((at) =>
    testImage({ same: noise("same", 4096), changed: Buffer.concat([content, noise(`${at}`, 64)]) }),
  );
  const [first, second, third] = images;
  if (first === undefined || second === undefined || third === undefined) return expect.unreachable();
  const bring = async (image: typeof first, name: string) => {
    rig.time.now += 1;
    return (await upload({ uploads: rig.uploads, clusterId: rig.a, name, image })).image;
  };
  await bring(first, "web:1");
  await bring(second, "web:2");
  const host = await addTestHost(rig.store, rig.a);
  const open = await addTestInstallation(rig.store, host, rig.a, first.digest);
  for (const base of ["web:1", "web:2"]) {
    const target = await bring(third, "web:3");
    expect(await rig.deltas.make(rig.a, { base, target: "web:3" }, WHO)).toMatchObject({ target: target.digest });
  }
  await keep(rig, rig.a, 1);
  const { names: going, packs } = await rig.names.preview(rig.a, 0);
  expect(going.map(({ name }) => name)).toEqual(["web:2"]);
  const collected = await rig.collector.collect(rig.a, WHO);
  expect(collected.names.map(({ name }) => name)).toEqual(["web:2"]);
  expect(packs.length).toBeGreaterThan(0);
  expect(collected).toMatchObject({ retiredPacks: packs.length, retiredBytes: packs[0]?.sizeBytes });
  const left = await rig.images.deltasOf(await rig.images.get(rig.a, "web:3"));
  expect(left.map(({ base }) => base)).toEqual([first.digest]);
  await rig.store.write(
    async (tx) =>
      void (await tx.updateTable("installation").set({ outcome: "cancelled" }).where("id", "=", open).execute()),
  );
  expect((await rig.collector.collect(rig.a, WHO)).names).toMatchObject([{ name: "web:1", last: true }]);
  expect(await rig.files("deltas")).toEqual([]);
  expect(await rig.images.packsOf(await rig.images.get(rig.a, "web:3"))).not.toEqual([]);
  expect((await Array.fromAsync(rig.verifier.verify(rig.a, WHO))).filter(({ state }) => state !== "whole")).toEqual([]);
  expect(rig.failures).toEqual([]);
});
