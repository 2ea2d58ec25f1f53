import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity } from "../core/testing/test-identity.ts";
import { addTestInstallation } from "../core/testing/test-rows.ts";
import { fileRoutes } from "./files.ts";
import { DOWNLOADS, HeldOpen } from "./held-open.ts";
import { PieceBuffers } from "./piece-buffers.ts";
import { openTestDoor } from "./testing.ts";

const DIGEST = "a".repeat(64);
/** More than sockets hold on both sides. */
const LARGE = 64 * 1024 * 1024;

/** One file, or folder, at a door, and connections of an installer that may read it. */
async function openRig(make: (file: string) => Promise<void>, idleMs = 60_000) {
  const identity = await openTestIdentity();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-sending-"));
  const file = path.join(folder, "file");
  await make(file);
  const { size: sizeBytes } = await stat(file);
  const clusterId = await addTestCluster(identity.store);
  const hostId = await addTestHost(identity.store, clusterId);
  const subject = await addTestInstallation(identity.store, hostId, clusterId, DIGEST);
  const installer = await issueTestPeer(identity, { kind: "installer", subject, hostId, clusterId });
  const [downloads, buffers, sent] = [new HeldOpen(DOWNLOADS), new PieceBuffers(), Array.of<number>()];
  const routes = fileRoutes({
    resolve: (chain) => identity.principals.resolve(chain),
    fileFor: async () => ({ path: file, sizeBytes }),
    refused: async () => "incident",
    onSent: (bytes) => sent.push(bytes),
    ...{ downloads, buffers, perMinute: 1000 },
  });
  const door = await openTestDoor(identity, { routes: [routes], limits: { idleMs } });
  const sockets: TLSSocket[] = [];
  const isOpen = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  };
  return {
    ...{ file, sent },
    /** Sends one request after the other for these ranges, and waits for no answer. */
    ask: async (...ranges: readonly string[]) => {
      const { key, cert } = installer;
      const socket = connect({ port: door.door.port, host: "localhost", ca: identity.authority.rootPem, key, cert });
      socket.on("error", () => undefined);
      sockets.push(socket);
      await once(socket, "secureConnect");
      const head = `GET /files/v1/${DIGEST} HTTP/1.1\r\nhost: localhost\r\n`;
      socket.write(ranges.map((range) => `${head}range: bytes=${range}\r\n\r\n`).join(""));
      return socket;
    },
    /** Downloads, pieces and open files that somebody still has. */
    held: () => [downloads.count, buffers.lent, readdirSync("/proc/self/fd").filter(isOpen).length],
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await door[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const holes = async (file: string) => {
  await writeFile(file, "");
  await truncate(file, LARGE);
};

/** The bodies of so many answers. */
async function bodies(socket: TLSSocket, count: number): Promise<Buffer[]> {
  const [found, all] = [Array.of<Buffer>(), Buffer.alloc(LARGE)];
  let [from, filled] = [0, 0];
  for await (const chunk of socket) {
    filled += chunk.copy(all, filled);
    for (;;) {
      const head = all
        .subarray(from, Math.min(filled, from + 4096))
        .toString("latin1")
        .split("\r\n\r\n", 1)
        .join();
      const start = from + head.length + 4;
      const end = start + Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (!(end <= filled)) break;
      found.push(all.subarray(start, end));
      from = end;
    }
    if (found.length === count) return found;
  }
  throw new Error(`${found.length} answers and ${filled - from} bytes more`);
}

test("an answer that waits for the one before it keeps its piece, whatever is read meanwhile", async () => {
  const content = randomBytes(8 * 1024 * 1024);
  await using rig = await openRig((file) => writeFile(file, content));
  const ranges = ["0-5999999", "6000000-6999999", "0-299999", "300000-300000", "1-8388607"];
  const socket = await rig.ask(...ranges);
  const found = await bodies(socket, ranges.length);
  for (const [index, range] of ranges.entries()) {
    const [first = 0, last = 0] = range.split("-").map(Number);
    expect(found[index]?.equals(content.subarray(first, last + 1)), range).toBe(true);
  }
  await expect.poll(rig.held).toEqual([0, 0, 0]);
  expect(rig.sent.toSorted((one, other) => one - other)).toEqual([1, 300_000, 1_000_000, 6_000_000, 8_388_607]);
});

test("a peer that leaves lets go of all it asked for", async () => {
  await using rig = await openRig(holes);
  const socket = await rig.ask("0-", "1-", "2-");
  await once(socket, "data");
  await expect.poll(() => rig.held()[0]).toBe(3);
  socket.destroy();
  await expect.poll(rig.held).toEqual([0, 0, 0]);
  expect(rig.sent).toHaveLength(3);
  for (const bytes of rig.sent) expect(bytes).toBeLessThan(LARGE);
});

test("a peer that does not read is let go", async () => {
  await using rig = await openRig(holes, 500);
  const socket = await rig.ask("0-", "0-");
  socket.pause();
  await expect.poll(() => rig.held()[0]).toBe(2);
  await expect.poll(rig.held, { timeout: 10_000 }).toEqual([0, 0, 0]);
});

test("a file that ends early breaks the answer off", async () => {
  await using rig = await openRig(holes);
  const socket = await rig.ask("0-");
  const [chunk]: Buffer[] = await once(socket, "data");
  socket.pause();
  expect(chunk?.toString("latin1")).toMatch(/^HTTP\/1.1 206 /);
  await truncate(rig.file, 1000);
  let came = chunk?.length ?? 0;
  socket.on("data", (more: Buffer) => {
    came += more.length;
  });
  socket.resume();
  await once(socket, "close");
  expect(came).toBeLessThan(LARGE);
  await expect.poll(rig.held).toEqual([0, 0, 0]);
});

test("what cannot be read is said in place of an answer", async () => {
  await using rig = await openRig(async (file) => void (await mkdir(file)));
  const socket = await rig.ask("0-");
  const [answer]: Buffer[] = await once(socket, "data");
  expect(String(answer)).toMatch(/^HTTP\/1.1 507 .*\r\n\r\nhpsd has lost this file\n/s);
  await expect.poll(rig.held).toEqual([0, 0, 0]);
});
