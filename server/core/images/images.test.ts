import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { Room } from "../files/room.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestHost } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { inPieces, openImageRig, orderOf, sha256 } from "./testing.ts";

test("an image is stored, named, listed, told to the audit log and shown", async () => {
  await using rig = await openImageRig();
  const made = await rig.images.import(ALICE, rig.a, orderOf("debian:12", "archive"), inPieces("arc", "hive"));
  expect(made).toMatchObject({ cluster: "a", name: "debian:12", lacks: ["kernel", "init"], importedBy: "alice" });
  expect(await rig.files()).toEqual([sha256("archive")]);
  expect(await readFile(rig.file(sha256("archive")), "utf8")).toBe("archive");
  expect(await rig.images.get(rig.a, "debian:12")).toEqual(made);
  await expect(rig.images.get(rig.b, "debian:12")).rejects.toMatchObject({ code: "not-found" });
  const events = await rig.audited();
  expect(events).toMatchObject([
    { actor: "spiffe://example.org/operator/alice", target: `image:${made.id}`, bytes: "7" },
  ]);
});

test("the same again is the image that is there, unread; another content under its name is refused", async () => {
  await using rig = await openImageRig();
  const first = await rig.images.import(ALICE, rig.a, orderOf("debian:12", "one"), inPieces("one"));
  const unread = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("read")) }) };
  expect(await rig.images.import(ALICE, rig.a, orderOf("debian:12", "one"), unread)).toEqual(first);
  const other = rig.images.import(ALICE, rig.a, orderOf("debian:12", "two"), unread);
  await expect(other).rejects.toMatchObject({ code: "exists" });
  expect(await rig.files()).toEqual([sha256("one")]);
});

test.each([
  ["cut off", orderOf("x:1", "archive"), inPieces("arch"), /ended after 4 of 7/],
  ["too long", orderOf("x:1", "archive"), inPieces("archive", "!"), /longer than the 7/],
  ["altered", orderOf("x:1", "archive"), inPieces("arsonic"), /altered on its way/],
  ["larger than allowed", orderOf("x:1", "a", { sizeBytes: 1001n }), inPieces(), /more than hpsd takes/],
])("an archive that is %s leaves nothing", async (_, order, data, message) => {
  await using rig = await openImageRig();
  const refused = await rig.images.import(ALICE, rig.a, order, data).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: expect.stringMatching(/invalid|exhausted/),
    message: expect.stringMatching(message),
  });
  expect(await rig.files()).toEqual([]);
  expect(await rig.audited()).toEqual([]);
  expect((await rig.images.list({ clusters: "all", shared: true, limit: 9 })).images).toEqual([]);
});

test("a sender that stops in the middle leaves nothing and holds nobody", async () => {
  await using rig = await openImageRig();
  const stalled = Promise.withResolvers<never>();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("arc");
    await stalled.promise;
  }
  const first = rig.images.import(ALICE, rig.a, orderOf("slow:1", "archive"), slow());
  await rig.images.import(ALICE, rig.a, orderOf("quick:1", "quick"), inPieces("quick"));
  stalled.reject(new HpsError("deadline", "the sender stalls"));
  await expect(first).rejects.toMatchObject({ code: "deadline" });
  expect(await rig.files()).toEqual([sha256("quick")]);
});

test("an archive larger than the disk is refused before its first byte", async () => {
  await using rig = await openImageRig();
  const huge = { sizeBytes: BigInt(2 ** 52) };
  const room = new Room(tmpdir());
  await expect(room.take(2 ** 52, "image x:1")).rejects.toMatchObject({ code: "exhausted", message: /no room/ });
  await expect(rig.images.import(ALICE, rig.a, orderOf("x:1", "a", huge), inPieces())).rejects.toMatchObject({
    code: "exhausted",
  });
});

test("a file goes with the last image that names it", async () => {
  await using rig = await openImageRig();
  await rig.images.import(ALICE, rig.a, orderOf("debian:12", "same"), inPieces("same"));
  await rig.images.import(ALICE, rig.b, orderOf("debian:12", "same"), inPieces("same"));
  await rig.images.delete(ALICE, rig.a, "debian:12");
  expect(await rig.files()).toEqual([sha256("same")]);
  await rig.images.delete(ALICE, rig.b, "debian:12");
  expect(await rig.files()).toEqual([]);
  await expect(rig.images.delete(ALICE, rig.b, "debian:12")).rejects.toMatchObject({ code: "not-found" });
  expect(rig.failures).toEqual([]);
});

test("what an unfinished installation is of stays", async () => {
  await using rig = await openImageRig();
  await rig.images.import(ALICE, rig.a, orderOf("debian:12", "same"), inPieces("same"));
  const installation = await addTestInstallation(rig.store, await addTestHost(rig.store, rig.a), rig.a, sha256("same"));
  const kept = rig.images.delete(ALICE, rig.a, "debian:12");
  await expect(kept).rejects.toMatchObject({ code: "precondition", details: { installation } });
  expect(await rig.files()).toEqual([sha256("same")]);
});

test("two that bring one name at one time: one wins, the other is told, one file stays", async () => {
  await using rig = await openImageRig();
  const both = await Promise.allSettled([
    rig.images.import(ALICE, rig.a, orderOf("debian:12", "one"), inPieces("one")),
    rig.images.import(ALICE, rig.a, orderOf("debian:12", "two"), inPieces("two")),
  ]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const { digest } = await rig.images.get(rig.a, "debian:12");
  expect(await rig.files()).toEqual([digest]);
});

test("a start removes what nobody names and says what is missing; the same import brings it back", async () => {
  await using rig = await openImageRig();
  await rig.images.import(ALICE, rig.a, orderOf("kept:1", "kept"), inPieces("kept"));
  await rig.images.import(ALICE, rig.a, orderOf("lost:1", "lost"), inPieces("lost"));
  await writeFile(rig.file("incoming-1"), "half");
  await writeFile(rig.file(sha256("orphan")), "orphan");
  await writeFile(rig.file("lost+found"), "not ours");
  await rm(rig.file(sha256("lost")));
  const { images } = await rig.reopened();
  expect(await images.recover()).toEqual([sha256("lost")]);
  expect((await rig.files()).sort()).toEqual([sha256("kept"), "lost+found"].sort());
  await images.import(ALICE, rig.a, orderOf("lost:1", "lost"), inPieces("lost"));
  expect(await images.recover()).toEqual([]);
});

test("by cluster and name, in pages", async () => {
  await using rig = await openImageRig();
  for (const [cluster, name] of [
    [rig.b, "a:1"],
    [rig.a, "z:1"],
    [rig.a, "b:2"],
  ] as const) {
    await rig.images.import(ALICE, cluster, orderOf(name, name), inPieces(name));
  }
  const first = await rig.images.list({ clusters: "all", shared: true, limit: 2 });
  expect(first.images.map(({ cluster, name }) => `${cluster}/${name}`)).toEqual(["a/b:2", "a/z:1"]);
  const rest = await rig.images.list({
    clusters: "all",
    shared: true,
    limit: 2,
    ...(first.next && { after: first.next }),
  });
  expect(rest.images.map(({ name }) => name)).toEqual(["a:1"]);
  expect(rest.next).toBeUndefined();
  expect((await rig.images.list({ clusters: [rig.b], shared: true, limit: 9 })).images).toHaveLength(1);
  expect((await rig.images.list({ clusters: [], shared: true, limit: 9 })).images).toEqual([]);
});

test("what no image can be is refused", () => {
  const wrong = [
    ...[{ digest: "ABC" }, { digest: "../../etc/passwd" }, { name: "debian" }, { sizeBytes: -1n }],
    ...[{ entries: 2n ** 60n }, { lacks: ["roof"] }, { system: "x".repeat(257) }],
  ];
  for (const change of wrong) expect(() => orderOf("x:1", "x", change)).toThrow(HpsError);
});
