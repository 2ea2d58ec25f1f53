import { expect, test } from "vitest";
import { parseImageName, parseImageRef } from "../../../proto/values/image-ref.ts";
import { selectImagesOfHost } from "../../store/image-uses.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestImage, addTestInstallation } from "../testing/test-rows.ts";
import { findImage } from "./find-image.ts";
import { inPieces, openImageRig, orderOf, sha256 } from "./testing.ts";

type Rig = Awaited<ReturnType<typeof openImageRig>>;

const imported = async (rig: Rig, name: string, content: string) =>
  await rig.images.import(ALICE, rig.a, orderOf(name, content), inPieces(content));
const tag = async (rig: Rig, image: string, text: string, move = false) =>
  await rig.images.tag(ALICE, rig.a, { image, name: parseImageName(text).name, move, expiresAt: null });
const names = async (rig: Rig) =>
  (await rig.images.list({ clusters: "all", shared: true, limit: 99 })).images.map(({ name }) => name);

/** A host of the cluster whose installation of the image has ended well. */
async function installedHost(rig: Rig, digest: string): Promise<string> {
  const hostId = await addTestHost(rig.store, rig.a);
  const id = await addTestInstallation(rig.store, hostId, rig.a, digest);
  await ended(rig, id, "succeeded");
  return hostId;
}

async function ended(rig: Rig, id: string, outcome: "succeeded" | "cancelled"): Promise<void> {
  await rig.store.write(
    async (tx) => void (await tx.updateTable("installation").set({ outcome }).where("id", "=", id).execute()),
  );
}

test("an image has as many names as it is given, and goes with the last", async () => {
  await using rig = await openImageRig();
  const first = await imported(rig, "debian:12.1", "one");
  const other = await tag(rig, "debian:12.1", "debian:stable");
  expect(other).toMatchObject({ name: "debian:stable", digest: first.digest, createdAt: first.createdAt });
  expect(other.id).not.toBe(first.id);
  expect(await tag(rig, `sha256:${first.digest}`, "debian:12")).toMatchObject({ digest: first.digest });
  expect(await names(rig)).toEqual(["debian:12", "debian:12.1", "debian:stable"]);
  await rig.images.delete(ALICE, rig.a, "debian:12.1");
  await rig.images.delete(ALICE, rig.a, "debian:12");
  expect(await rig.files()).toEqual([first.digest]);
  await rig.images.delete(ALICE, rig.a, "debian:stable");
  expect(await rig.files()).toEqual([]);
});

test("a name moves when it is told to, and the audit log says from where", async () => {
  await using rig = await openImageRig();
  await imported(rig, "debian:12.1", "one");
  await imported(rig, "debian:12.2", "two");
  await tag(rig, "debian:12.1", "debian:stable");
  await expect(tag(rig, "debian:12.2", "debian:stable")).rejects.toMatchObject({ code: "exists" });
  expect((await rig.images.get(rig.a, "debian:stable")).digest).toBe(sha256("one"));
  await tag(rig, "debian:12.2", "debian:stable", true);
  expect((await rig.images.get(rig.a, "debian:stable")).digest).toBe(sha256("two"));
  expect((await rig.audited()).at(-1)).toMatchObject({ name: "debian:stable", movedFrom: sha256("one") });
  // What lost its only name goes.
  await tag(rig, "debian:12.2", "debian:12.1", true);
  expect(await rig.files()).toEqual([sha256("two")]);
});

test("a digest is a reference, a name that does not exist is none, and nothing is a neighbour", async () => {
  await using rig = await openImageRig();
  const { digest } = await imported(rig, "debian:12", "one");
  expect(await rig.images.get(rig.a, `sha256:${digest}`)).toMatchObject({ name: "debian:12" });
  for (const ref of ["debian:1", "debian:latest", `sha256:${sha256("other")}`, `sha256:${digest.slice(0, 12)}`]) {
    await expect(rig.images.get(rig.a, ref), ref).rejects.toMatchObject({ code: "not-found" });
  }
  // Of another cluster it is as absent as what does not exist.
  await expect(rig.images.get(rig.b, `sha256:${digest}`)).rejects.toMatchObject({ code: "not-found" });
  expect(() => parseImageName(`sha256:${digest}`)).toThrow(/is a digest/);
  expect(() => orderOf("shared/debian:12", "one")).toThrow(/archive cannot be imported as shared/);
});

test("what all clusters share is read by all, under its own names", async () => {
  await using rig = await openImageRig();
  await addTestImage(rig.store, "shared", { name: "shared/debian:12", digest: sha256("shared") });
  const of = async (cluster: string | undefined, ref: string) =>
    (await rig.store.read((db) => findImage(db, cluster, parseImageRef(ref))))?.digest;
  for (const cluster of [rig.a, rig.b, undefined]) {
    expect(await of(cluster, "shared/debian:12")).toBe(sha256("shared"));
    expect(await of(cluster, `sha256:${sha256("shared")}`)).toBe(sha256("shared"));
  }
  expect(await of(rig.a, "debian:12")).toBeUndefined();
  await expect(of(undefined, "debian:12")).rejects.toMatchObject({ code: "invalid" });
  // A name stands in the library of its image.
  await expect(tag(rig, "shared/debian:12", "debian:12")).rejects.toMatchObject({ code: "precondition" });
  await rig.images.tag(ALICE, undefined, {
    ...{ image: "shared/debian:12", name: parseImageName("shared/debian:stable").name, move: false, expiresAt: null },
  });
  expect(await names(rig)).toEqual(["shared/debian:12", "shared/debian:stable"]);
  expect(await rig.images.list({ clusters: [rig.a], shared: false, limit: 9 })).toEqual({ images: [] });
});

test("what a host runs stays without a name until another installation took its place", async () => {
  await using rig = await openImageRig();
  const { digest } = await imported(rig, "debian:12", "one");
  const hostId = await installedHost(rig, digest);
  await rig.images.delete(ALICE, rig.a, "debian:12");
  expect(await names(rig)).toEqual([]);
  expect(await rig.files()).toEqual([digest]);
  expect(await rig.images.get(rig.a, `sha256:${digest}`)).toMatchObject({ name: "" });
  expect(await rig.store.read((db) => selectImagesOfHost(db, hostId))).toMatchObject([{ digest }]);
  // It can be given a name again.
  await tag(rig, `sha256:${digest}`, "debian:again");
  expect(await rig.store.read((db) => db.selectFrom("image").select("name").execute())).toEqual([
    { name: "debian:again" },
  ]);
  await rig.images.delete(ALICE, rig.a, "debian:again");
  await imported(rig, "debian:13", "two");
  await ended(rig, await addTestInstallation(rig.store, hostId, rig.a, sha256("two")), "succeeded");
  expect(await rig.images.recover()).toEqual([]);
  expect(await rig.files()).toEqual([sha256("two")]);
});

test("a name is given up while the image is installed, but not its last", async () => {
  await using rig = await openImageRig();
  const { digest } = await imported(rig, "debian:12", "one");
  await tag(rig, "debian:12", "debian:stable");
  const id = await addTestInstallation(rig.store, await addTestHost(rig.store, rig.a), rig.a, digest);
  await rig.images.delete(ALICE, rig.a, "debian:12");
  await expect(rig.images.delete(ALICE, rig.a, "debian:stable")).rejects.toMatchObject({ code: "precondition" });
  // Moving it away is no harm: the installation keeps what it was armed with.
  await imported(rig, "debian:13", "two");
  await tag(rig, "debian:13", "debian:stable", true);
  expect(await rig.files()).toEqual([digest, sha256("two")].sort());
  await ended(rig, id, "cancelled");
  await rig.images.recover();
  expect(await rig.files()).toEqual([sha256("two")]);
});

test("a name whose time has come goes, with its event; the last of an image that is used stays until it is not", async () => {
  await using rig = await openImageRig();
  await rig.images.import(ALICE, rig.a, orderOf("debian:12", "one"), inPieces("one"));
  const tag = async (name: string, expiresAt: number | null) =>
    await rig.images.tag(ALICE, rig.a, { image: "debian:12", name: parseImageName(name).name, move: false, expiresAt });
  const names = async () =>
    (await rig.images.list({ clusters: "all", shared: true, limit: 9 })).images.map(({ name }) => name);
  await tag("debian:soon", 5_000);
  expect(await tag("debian:late", 5_000)).toMatchObject({ expiresAt: 5_000 });
  // Told again it stays longer.
  expect(await tag("debian:late", 9_000)).toMatchObject({ expiresAt: 9_000 });
  await rig.names.passAll();
  expect(await names()).toEqual(["debian:12", "debian:late", "debian:soon"]);
  rig.time.now = 5_000;
  await rig.names.passAll();
  expect(await names()).toEqual(["debian:12", "debian:late"]);
  expect((await rig.audited()).at(-1)).toMatchObject({ actor: "hpsd", name: "debian:soon", digest: sha256("one") });
  const host = await addTestHost(rig.store, rig.a);
  const installation = await addTestInstallation(rig.store, host, rig.a, sha256("one"));
  await rig.images.delete(ALICE, rig.a, "debian:12");
  rig.time.now = 9_000;
  await rig.names.passAll();
  expect(await names()).toEqual(["debian:late"]);
  await rig.store.write(
    async (tx) =>
      void (await tx
        .updateTable("installation")
        .set({ outcome: "cancelled" })
        .where("id", "=", installation)
        .execute()),
  );
  await rig.names.passAll();
  expect(await names()).toEqual([]);
  await rig.filing.collect();
  expect(await rig.files()).toEqual([]);
});
