import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { agentFile } from "../core/files/agent-files.ts";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type PeerOptions, type TestPeer } from "../core/testing/test-identity.ts";
import { addTestImage, addTestInstallation, addTestOperator } from "../core/testing/test-rows.ts";
import { selectAudit } from "../store/audit.ts";
import { insertDelta, insertPack } from "../store/packs.ts";
import { fileRoutes } from "./files.ts";
import { DOWNLOADS, HeldOpen } from "./held-open.ts";
import { PieceBuffers } from "./piece-buffers.ts";
import { openTestDoor } from "./testing.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const CONTENT = randomBytes(700_000);
const DIGEST = sha256(CONTENT);
const TOOLS = randomBytes(1000);

/** A host that is being installed with `debian:12`, whose archive is CONTENT, and the door. */
async function openRig(content: { readonly digest: string; readonly sizeBytes: number } | undefined = undefined) {
  const identity = await openTestIdentity();
  const { store } = identity;
  const folder = await mkdtemp(path.join(tmpdir(), "hps-files-"));
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId);
  await addTestImage(store, clusterId, { name: "debian:12", digest: DIGEST, sizeBytes: CONTENT.length, ...content });
  const installationId = await addTestInstallation(store, hostId, clusterId, content?.digest ?? DIGEST);
  await writeFile(path.join(folder, DIGEST), CONTENT);
  await writeFile(path.join(folder, "tools"), TOOLS);
  const fileOf = ({ digest, sizeBytes }: { digest: string; sizeBytes: number }) => ({
    ...{ digest, sizeBytes, path: path.join(folder, digest) },
  });
  const images = { file: fileOf, indexedFile: fileOf };
  const tools = { digest: sha256(TOOLS), sizeBytes: TOOLS.length, path: path.join(folder, "tools") };
  const installers = { file: () => tools };
  const [downloads, buffers] = [new HeldOpen(DOWNLOADS), new PieceBuffers()];
  identity.live.connect((which, reason) => downloads.end(which, reason));
  const sent: number[] = [];
  const routes = fileRoutes({
    resolve: (chain) => identity.principals.resolve(chain),
    fileFor: (caller, digest) => agentFile({ ...identity, images, installers }, caller, digest),
    refused: (who, reason) => identity.refusals.refused(who, { reason }),
    onSent: (bytes) => sent.push(bytes),
    ...{ downloads, buffers },
    perMinute: 1000,
  });
  const door = await openTestDoor(identity, { routes: [routes] });
  const peer = async (kind: PeerOptions["kind"], subject: string, change: Partial<PeerOptions> = {}) =>
    await issueTestPeer(identity, { kind, subject, hostId, clusterId, ...change });
  return {
    ...{ identity, store, folder, clusterId, hostId, installationId, downloads, sent, door, peer },
    installer: await peer("installer", installationId),
    start: async (as: Pick<TestPeer, "key" | "cert"> | undefined, digest = DIGEST, more: Options = {}) => {
      const to = { host: "localhost", port: door.door.port, ca: identity.authority.rootPem, agent: false };
      const outgoing = request({
        ...to,
        path: `/files/v1/${digest}`,
        ...more,
        ...(as && { key: as.key, cert: as.cert }),
      });
      outgoing.end();
      const [response]: IncomingMessage[] = await once(outgoing, "response");
      if (response === undefined) throw new Error("no response");
      return response;
    },
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Options {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(response));
}

test("an installer reads its image, whole and in parts, and the tools", async () => {
  await using rig = await openRig();
  const whole = await rig.start(rig.installer);
  expect(whole.statusCode).toBe(200);
  expect(whole.headers).toMatchObject({
    ...{ etag: `"${DIGEST}"`, "accept-ranges": "bytes", "content-length": "700000" },
    "cache-control": "private, max-age=31536000, immutable",
  });
  expect((await bodyOf(whole)).equals(CONTENT)).toBe(true);
  const rest = await rig.start(rig.installer, DIGEST, { headers: { range: "bytes=600000-" } });
  expect(rest.statusCode).toBe(206);
  expect(rest.headers).toMatchObject({ "content-range": "bytes 600000-699999/700000", "content-length": "100000" });
  expect((await bodyOf(rest)).equals(CONTENT.subarray(600_000))).toBe(true);
  const beyond = await rig.start(rig.installer, DIGEST, { headers: { range: "bytes=700000-" } });
  expect([beyond.statusCode, beyond.headers["content-range"]]).toEqual([416, "bytes */700000"]);
  expect((await bodyOf(await rig.start(rig.installer, sha256(TOOLS)))).equals(TOOLS)).toBe(true);
  await expect.poll(() => rig.sent).toEqual([700_000, 100_000, 1000]);
  expect(rig.downloads.count).toBe(0);
});

test("HEAD tells without a body; who has it already is told so", async () => {
  await using rig = await openRig();
  const head = await rig.start(rig.installer, DIGEST, { method: "HEAD" });
  expect([head.statusCode, head.headers["content-length"], (await bodyOf(head)).length]).toEqual([200, "700000", 0]);
  const known = await rig.start(rig.installer, DIGEST, { headers: { "if-none-match": `"x", W/"${DIGEST}"` } });
  expect([known.statusCode, (await bodyOf(known)).length]).toEqual([304, 0]);
  expect(rig.sent).toEqual([]);
});

test("whatever one may not have is absent, in the same words as what does not exist", async () => {
  await using rig = await openRig();
  const { store } = rig;
  const other = await addTestHost(store, rig.clusterId);
  await addTestOperator(store, "root", { "*": "admin" });
  const foreign = await addTestCluster(store, "foreign");
  await addTestImage(store, foreign, { name: "secret:1", digest: "c".repeat(64) });
  const strangers = [
    [rig.installer, "c".repeat(64)],
    [rig.installer, "0".repeat(64)],
    [rig.installer, "..%2f..%2fetc%2fpasswd"],
    [rig.installer, DIGEST.toUpperCase()],
    [await rig.peer("host", other, { hostId: other }), DIGEST],
    [await rig.peer("operator", "root"), DIGEST],
  ] as const;
  const bodies = await Promise.all(
    strangers.map(async ([as, digest]) => {
      const response = await rig.start(as, digest);
      return `${response.statusCode} ${await bodyOf(response)}`;
    }),
  );
  expect(new Set(bodies)).toEqual(new Set(["404 there is nothing at this address\n"]));
  await rig.identity.refusals.flush();
  const events = await store.read((db) => selectAudit(db, { clusters: "all", limit: 99 }));
  expect(events.filter(({ outcome }) => outcome === "refused")).toHaveLength(4);
});

test("no certificate, one that is revoked, one that waits: none opens anything", async () => {
  await using rig = await openRig();
  const revoked = await rig.peer("installer", rig.installationId);
  await rig.store.write((tx) => rig.identity.certificates.revoke(tx, { serial: revoked.signed.serial }, "lost"));
  const waiting = await rig.peer("host", rig.hostId, { state: "waiting" });
  for (const as of [undefined, revoked, waiting]) {
    const response = await rig.start(as);
    expect([response.statusCode, String(await bodyOf(response))]).toEqual([401, expect.stringContaining("incident")]);
  }
});

test("an installed host reads what it was installed from, until that image is no more", async () => {
  await using rig = await openRig();
  const host = await rig.peer("host", rig.hostId);
  await rig.store.write((tx) => tx.updateTable("installation").set({ outcome: "succeeded" }).execute());
  expect((await bodyOf(await rig.start(host))).equals(CONTENT)).toBe(true);
  expect((await rig.start(host, sha256(TOOLS))).statusCode).toBe(404);
  await rig.store.write((tx) => tx.deleteFrom("image").execute());
  expect((await rig.start(host)).statusCode).toBe(404);
});

test("manifests, packs and deltas are for members of their library, the shared one's for all, while an installation goes on", async () => {
  await using rig = await openRig();
  const other = await addTestCluster(rig.store, "other");
  const files = new Map<string, Buffer>();
  for (const library of [rig.clusterId, "shared", other]) {
    for (const kind of ["manifest", "pack", "delta"] as const) {
      const bytes = randomBytes(5000);
      const digest = sha256(bytes);
      files.set(`${kind} of ${library}`, bytes);
      await writeFile(path.join(rig.folder, digest), bytes);
      const row = { library, digest, sizeBytes: bytes.length, indexOffset: 1, indexBytes: 1, createdAt: 1 };
      await rig.store.write(async (tx) => {
        if (kind === "pack") await insertPack(tx, row);
        if (kind === "delta") await insertDelta(tx, { ...row, base: "b", target: "t" });
      });
      const name = `${library === "shared" ? "shared/" : ""}packs:1`;
      if (kind === "manifest")
        await addTestImage(rig.store, library, { name, digest, sizeBytes: 5000, format: "packs" });
    }
  }
  const host = await rig.peer("host", rig.hostId);
  const got = async (as: TestPeer) => {
    const found: string[] = [];
    for (const [what, bytes] of files) {
      const response = await rig.start(as, sha256(bytes), { headers: { range: "bytes=1000-1999" } });
      const body = await bodyOf(response);
      if (response.statusCode === 206 && body.equals(bytes.subarray(1000, 2000))) found.push(what);
      else expect(response.statusCode).toBe(404);
    }
    return found;
  };
  const members = [...files.keys()].filter((what) => !what.endsWith(other));
  expect(await got(rig.installer)).toEqual(members);
  expect(await got(host)).toEqual(members);
  await rig.store.write((tx) => tx.updateTable("installation").set({ outcome: "cancelled" }).execute());
  expect(await got(rig.installer)).toEqual([]);
  expect(await got(host)).toEqual(members);
});

test("a file that hpsd lost is said, not sent short", async () => {
  await using rig = await openRig();
  await writeFile(path.join(rig.folder, DIGEST), CONTENT.subarray(1));
  const response = await rig.start(rig.installer);
  expect([response.statusCode, String(await bodyOf(response))]).toEqual([
    507,
    expect.stringContaining("lost this file"),
  ]);
});

test("a reader that stops is not read ahead for; its certificate's end ends it; too many are refused", async () => {
  const size = 2 ** 30;
  await using rig = await openRig({ digest: "d".repeat(64), sizeBytes: size });
  await using file = await open(path.join(rig.folder, "d".repeat(64)), "w");
  await file.truncate(size);
  const responses = await Promise.all(
    Array.from({ length: 8 }, async () => await rig.start(rig.installer, "d".repeat(64))),
  );
  expect((await rig.start(rig.installer, "d".repeat(64))).statusCode).toBe(429);
  const ends = responses.map(async (response) => await once(response.resume(), "error").catch((error) => [error]));
  for (const response of responses) response.pause();
  const { serial } = rig.installer.signed;
  await rig.store.write((tx) => rig.identity.certificates.revoke(tx, { serial }, "lost"));
  for (const response of responses) response.resume();
  await Promise.all(ends);
  await expect.poll(() => rig.sent).toHaveLength(8);
  for (const bytes of rig.sent) expect(bytes).toBeLessThan(size / 4);
  expect(rig.downloads.count).toBe(0);
});
