import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { Audit } from "../audit/audit.ts";
import { Room } from "../files/room.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { Installers } from "./installers.ts";
import { SetFolder } from "./set-folder.ts";

type Files = Readonly<Record<string, string>>;

const FILES: Files = { "tools.squashfs": "the tools", kernel: "a kernel", "initrd.img": "an initrd" };
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function saidOf(files: Files, version = "0.1.0") {
  const listed = Object.entries(files).map(([name, text]) => {
    return { name, digest: sha256(text), sizeBytes: BigInt(Buffer.byteLength(text)) };
  });
  return { version, files: listed };
}

/** Pieces that end nowhere near the ends of files. */
async function* bytesOf(files: Files, piece = 5): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(Object.values(files).join(""));
  for (let at = 0; at < all.length; at += piece) yield all.subarray(at, at + piece);
}

async function openRig() {
  const store = await openTestStore();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-installers-"));
  const failures: unknown[] = [];
  const time = { now: 5_000 };
  const clock = () => time.now;
  const deps = { store, clock, audit: new Audit(store, clock), onError: (error: unknown) => void failures.push(error) };
  const open = async () => await Installers.open({ ...deps, folder: await SetFolder.open(folder, new Room(folder)) });
  return {
    ...{ store, failures, folder, installers: await open(), reopened: open },
    /** Long after, when nobody is on his way to what was replaced. */
    later: () => {
      time.now += 600_000;
    },
    sets: async () => (await readdir(path.join(folder, "sets"))).sort(),
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test("a set is stored whole, becomes the current one, and still is after a restart", async () => {
  await using rig = await openRig();
  expect(rig.installers.problem).toMatch(/no installer yet/);
  const made = await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  expect(made).toMatchObject({ version: "0.1.0", importedAt: 5_000 });
  expect(made.files.map(({ name }) => name)).toEqual(["initrd.img", "kernel", "tools.squashfs"]);
  for (const installers of [rig.installers, await rig.reopened()]) {
    expect(installers.current).toEqual(made);
    expect(installers.problem).toBe("");
    const kernel = installers.file("kernel");
    expect(kernel).toMatchObject({ digest: sha256("a kernel"), sizeBytes: 8 });
    expect(await readFile(kernel?.path ?? "", "utf8")).toBe("a kernel");
    expect(installers.file("grub.efi")).toBeUndefined();
  }
  const manifest = await readFile(path.join(rig.folder, "sets", made.digest, "manifest.json"), "utf8");
  expect(sha256(manifest)).toBe(made.digest);
});

test("the order of its files is not part of what a set is; its version is", async () => {
  await using rig = await openRig();
  const first = await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  const turned = Object.fromEntries(Object.entries(FILES).reverse());
  const again = await rig.installers.import(ALICE, saidOf(turned), bytesOf(turned, 1000));
  expect(again.digest).toBe(first.digest);
  const newer = await rig.installers.import(ALICE, saidOf(FILES, "0.1.1"), bytesOf(FILES));
  expect(newer.digest).not.toBe(first.digest);
  expect(rig.installers.file("kernel", first.digest)?.sizeBytes).toBe(8);
  rig.later();
  await rig.installers.prune();
  expect(await rig.sets()).toEqual([newer.digest]);
});

const { kernel: _, ...noKernel } = FILES;
test.each([
  ["cut off", saidOf(FILES), { ...FILES, "initrd.img": "an in" }, /initrd.img of the installer ended after 5 of 9/],
  ["altered", saidOf(FILES), { ...FILES, kernel: "A kernel" }, /kernel of the installer was altered/],
  ["too long", saidOf(FILES), { ...FILES, "initrd.img": "an initrd!" }, /longer than its files/],
  ["without a kernel", saidOf(noKernel), noKernel, /has no kernel/],
  ["with a strange file", saidOf({ ...FILES, "../evil": "x" }), FILES, /no file of an installer is called/],
])("one that is %s changes nothing", async (_name, said, sent, message) => {
  await using rig = await openRig();
  const before = await rig.installers.import(ALICE, saidOf(FILES, "0.0.9"), bytesOf(FILES));
  const refused = await rig.installers.import(ALICE, said, bytesOf(sent)).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "invalid", message: expect.stringMatching(message) });
  expect(rig.installers.current).toEqual(before);
  expect(await rig.sets()).toEqual([before.digest]);
});

test("what an unfinished installation booted stays until it ends", async () => {
  await using rig = await openRig();
  const first = await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  const cluster = await addTestCluster(rig.store);
  const id = await addTestInstallation(rig.store, await addTestHost(rig.store, cluster), cluster);
  await rig.store.write((tx) =>
    tx.updateTable("installation").set({ installer: first.digest }).where("id", "=", id).execute(),
  );
  const second = await rig.installers.import(ALICE, saidOf(FILES, "0.1.1"), bytesOf(FILES));
  expect(rig.installers.file("tools.squashfs", first.digest)?.sizeBytes).toBe(9);
  expect(await rig.sets()).toEqual([first.digest, second.digest].sort());
  rig.later();
  await rig.installers.prune();
  expect(await rig.sets()).toEqual([first.digest, second.digest].sort());
  await rig.store.write((tx) =>
    tx.updateTable("installation").set({ outcome: "cancelled" }).where("id", "=", id).execute(),
  );
  await rig.installers.prune();
  expect(rig.installers.file("tools.squashfs", first.digest)).toBeUndefined();
  expect(await rig.sets()).toEqual([second.digest]);
});

test("a restart removes what never arrived; a damaged set is said, and repaired by the same import", async () => {
  await using rig = await openRig();
  const { digest } = await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  await writeFile(path.join(rig.folder, "sets", "incoming-1"), "half");
  await rm(path.join(rig.folder, "sets", digest, "kernel"));
  const installers = await rig.reopened();
  expect(installers.current).toBeUndefined();
  expect(installers.problem).toMatch(/gone or altered/);
  expect(await rig.sets()).toEqual([digest]);
  await installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  expect(installers.problem).toBe("");
  expect(await readFile(installers.file("kernel")?.path ?? "", "utf8")).toBe("a kernel");
  expect(await rig.sets()).toEqual([digest]);
  expect(rig.failures).toEqual([]);
});

test("bytes that somebody altered in place are found by the next import of the same set", async () => {
  await using rig = await openRig();
  const { digest } = await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  await writeFile(path.join(rig.folder, "sets", digest, "kernel"), "evil one");
  await rig.installers.import(ALICE, saidOf(FILES), bytesOf(FILES));
  expect(await readFile(rig.installers.file("kernel")?.path ?? "", "utf8")).toBe("a kernel");
});
