import { expect, test } from "vitest";
import { parseImageName } from "../../../proto/values/image-ref.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestImage, addTestInstallation } from "../testing/test-rows.ts";
import { inPieces, openImageRig, orderOf, sha256 } from "./testing.ts";
import { keepTags as keep } from "./testing-whole.ts";

type Rig = Awaited<ReturnType<typeof openImageRig>>;
const WHO = { actor: "alice", action: "image.collect", address: "" };

const imported = async (rig: Rig, name: string, cluster = rig.a) => {
  rig.time.now += 1;
  return await rig.images.import(ALICE, cluster, orderOf(name, name), inPieces(name));
};
const tagged = async (rig: Rig, image: string, text: string, move = false) => {
  rig.time.now += 1;
  return await rig.images.tag(ALICE, rig.a, { image, name: parseImageName(text).name, move, expiresAt: null });
};
const names = async (rig: Rig) =>
  (await rig.images.list({ clusters: "all", shared: true, limit: 99 })).images.map(({ name }) => name);

test("a cluster that keeps two tags of each name keeps those that were made or moved last, and says what went", async () => {
  await using rig = await openImageRig();
  for (const name of ["web:1", "web:2", "web:3", "db:1"]) await imported(rig, name);
  await imported(rig, "web:1", rig.b);
  // An old image that is tagged, and a name that is moved, are new; a name told again is not.
  await tagged(rig, "web:3", "web:stable");
  await tagged(rig, "web:1", "web:stable", true);
  await tagged(rig, "web:1", "web:1");
  await rig.names.passAll();
  expect(await names(rig)).toHaveLength(6);
  await keep(rig, rig.a, 2);
  const preview = await rig.names.preview(rig.a, 0);
  expect(preview.names.map(({ name, last }) => [name, last])).toEqual([
    ["web:1", false],
    ["web:2", true],
  ]);
  expect((await rig.names.preview(rig.a, 1)).names.map(({ name }) => name)).toEqual(["web:1", "web:2", "web:3"]);
  expect((await rig.names.preview(rig.b, 0)).names).toEqual([]);
  expect(await names(rig)).toHaveLength(6);
  await rig.names.passAll();
  expect(await names(rig)).toEqual(["db:1", "web:3", "web:stable", "web:1"]);
  expect((await rig.audited()).slice(-2)).toMatchObject([
    { actor: "hpsd", name: "web:1", digest: sha256("web:1") },
    { actor: "hpsd", name: "web:2", digest: sha256("web:2") },
  ]);
  await rig.filing.collect();
  // The other cluster's image is the same archive.
  expect(await rig.files()).toEqual([sha256("db:1"), sha256("web:1"), sha256("web:3")].sort());
});

test("one of each is kept, of two of the same moment the later; what is installed or runs stays until it does not", async () => {
  await using rig = await openImageRig();
  for (const name of ["web:1", "web:2", "web:3", "web:4"]) {
    await rig.images.import(ALICE, rig.a, orderOf(name, name), inPieces(name));
  }
  await keep(rig, rig.a, 1);
  const host = await addTestHost(rig.store, rig.a);
  const open = await addTestInstallation(rig.store, host, rig.a, sha256("web:2"));
  await rig.names.passAll();
  expect(await names(rig)).toEqual(["web:2", "web:4"]);
  const ends = async (outcome: "succeeded" | "cancelled") =>
    await rig.store.write(
      async (tx) => void (await tx.updateTable("installation").set({ outcome }).where("id", "=", open).execute()),
    );
  await ends("succeeded");
  await rig.names.passAll();
  expect(await names(rig)).toEqual(["web:2", "web:4"]);
  await ends("cancelled");
  await rig.names.passAll();
  expect(await names(rig)).toEqual(["web:4"]);
});

test("the shared library has the rule of hpsd's configuration, and its images are kept for hosts of any cluster", async () => {
  await using rig = await openImageRig({ sharedTags: 1 });
  for (const at of [1, 2, 3]) {
    await addTestImage(rig.store, "shared", { name: `shared/os:${at}`, digest: sha256(`${at}`), namedAt: at });
  }
  for (const at of [1, 2]) await addTestImage(rig.store, rig.a, { name: `os:${at}`, digest: sha256(`own ${at}`) });
  await addTestInstallation(rig.store, await addTestHost(rig.store, rig.b), rig.b, sha256("1"));
  expect((await rig.names.preview(undefined, 0)).names.map(({ name }) => name)).toEqual(["shared/os:2"]);
  await rig.names.passAll();
  expect(await names(rig)).toEqual(["shared/os:1", "shared/os:3", "os:1", "os:2"]);
});

test("a rule that many names break is kept, some at a time", async () => {
  await using rig = await openImageRig();
  await rig.store.write(async (tx) => {
    for (let at = 0; at < 250; at += 1) {
      const row = { library: rig.a, cluster_id: rig.a, digest: String(at), size_bytes: 1, format: "tar" as const };
      const found = { content_bytes: 1, entries: 1, lacks_json: "[]", system: "", kernel: "", imported_by: "a" };
      const times = { created_at: 1, named_at: at };
      await tx
        .insertInto("image")
        .values({ ...row, ...found, ...times, id: `i${at}`, name: `os:${at}` })
        .execute();
    }
  });
  await keep(rig, rig.a, 7);
  expect((await rig.names.pass(rig.a, WHO)).names).toHaveLength(243);
  expect(await names(rig)).toEqual([243, 244, 245, 246, 247, 248, 249].map((at) => `os:${at}`));
  expect(await rig.audited()).toHaveLength(243);
});
