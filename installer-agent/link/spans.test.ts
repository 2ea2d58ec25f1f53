import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import { FileDoor } from "../testing/file-door.ts";
import type { FileRef, Span } from "./file-request.ts";
import { filesOf } from "./files.ts";
import type { Chunk } from "./read-span.ts";

const content = randomBytes(2_000_000);

let door: FileDoor;
let file: FileRef;
beforeEach(async () => {
  door = await FileDoor.open();
  file = door.add(content);
});
afterEach(() => door.close());

type Fate = "whole" | "cut" | "short" | "drips" | number;

/** Another server with the file, without TLS; what becomes of each request. */
async function openMirror(fates: readonly Fate[] = []) {
  const asks: string[] = [];
  const server = createServer((request, response) => {
    const fate = fates[asks.length] ?? "whole";
    asks.push(`${request.url} ${request.headers.range ?? "-"} ${request.headers.authorization ?? "nobody"}`);
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const end = to === "" ? content.length : Number(to) + 1;
    if (typeof fate === "number") {
      response.writeHead(fate, { location: "/elsewhere" }).end();
      return;
    }
    const body = content.subarray(Number(from), end);
    const range = `bytes ${from}-${end - 1}/${content.length + (fate === "short" ? 1 : 0)}`;
    response.writeHead(206, { "content-length": body.length, "content-range": range });
    if (fate === "cut") response.write(body.subarray(0, 1000), () => response.socket?.destroy());
    else if (fate === "drips") drip(response, body);
    else response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    asks,
    url: `http://127.0.0.1:${port}/pool`,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function drip(response: ServerResponse, body: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(at, at + 100));
    at += 100;
  }, 20);
  response.on("close", () => clearInterval(timer));
}

const slowest = { bytesPerSecond: 50_000, afterMs: 300 };

async function rig(baseUrls: readonly string[] = []) {
  const files = filesOf({
    identity: await door.identity(),
    backoff: { min: 10, max: 50 },
    ...{ idleMs: 5_000, slowest },
  });
  const lines: string[] = [];
  const spans = files.open(baseUrls.map(parseMirrorUrl));
  const signal = AbortSignal.timeout(30_000);
  const read = async (span: Span, from: { readonly origin?: number } = {}) => {
    const options = { what: "pack one", signal, log: (line: string) => void lines.push(line), ...from };
    const kept = ({ bytes, origin }: Chunk) => ({ bytes: Buffer.from(bytes), origin });
    const chunks = await Array.fromAsync(spans.read(file, span, options), kept);
    expect(Buffer.concat(chunks.map(({ bytes }) => bytes)).equals(content.subarray(span.from, span.to))).toBe(true);
    return [...new Set(chunks.map(({ origin }) => origin))];
  };
  return { lines, spans, read, [Symbol.dispose]: () => spans.close() };
}

const SOME = { from: 1000, to: 900_000 };

test("parts come over one connection, each asked for with the agent's certificate", async () => {
  using files = await rig();
  for (let from = 0; from < 1_000_000; from += 100_000) await files.read({ from, to: from + 5000 });
  expect(door.asks).toHaveLength(10);
  expect(door.asks[3]).toMatch(/^\/files\/v1\/[0-9a-f]{64} bytes=300000-304999 installer /);
  expect(door.sockets.size).toBe(1);
});

test("an hpsd of another trust domain is told and believed nothing", async () => {
  const identity = await door.identity();
  const contact = { ...identity.contact, trustDomain: parseDomainName("example.net") };
  const files = filesOf({ identity: { ...identity, contact }, backoff: { min: 1, max: 2 }, patienceMs: 20 });
  const spans = files.open([]);
  const read = { what: "pack one", signal: AbortSignal.timeout(30_000), log: () => undefined };
  await expect(Array.fromAsync(spans.read(file, SOME, read))).rejects.toThrow("is a server of example.org, not of");
  expect(door.asks).toEqual([]);
  spans.close();
});

test("a place that an admin has set is asked first, and told nothing of the agent", async () => {
  using mirror = await openMirror();
  using files = await rig([mirror.url]);
  expect(await files.read(SOME)).toEqual([0]);
  expect(mirror.asks).toEqual([`/pool/${file.digest} bytes=1000-899999 nobody`]);
  expect(door.asks).toEqual([]);
});

test.each<[string, Fate]>([
  ["breaks off", "cut"],
  ["sends elsewhere", 302],
  ["has it not", 404],
  ["fails", 503],
  ["has a file of another length", "short"],
])("one that %s is left for the next, from where it broke off", async (_, fate) => {
  using mirror = await openMirror([fate]);
  using files = await rig(["http://127.0.0.1:1/none", mirror.url]);
  const origins = await files.read(SOME);
  expect(origins.at(-1)).toBe(2);
  expect(mirror.asks).toHaveLength(1);
  expect(door.asks).toEqual([expect.stringContaining(fate === "cut" ? "bytes=2000-899999" : "bytes=1000-899999")]);
  expect(files.lines).toHaveLength(2);
  expect(files.lines[0]).toMatch(/^pack one, after 0 B of 877\.9 KiB: .*; going on from http:\/\/127/);
  // What could not be reached is not tried again; what only lacked this file is.
  await files.read({ from: 0, to: 10 });
  expect(mirror.asks).toHaveLength(fate === 404 || fate === "short" ? 2 : 1);
});

test("one that sends, but hardly, is left for the next; hpsd is waited for", async () => {
  using mirror = await openMirror(["drips"]);
  using files = await rig([mirror.url]);
  expect(await files.read(SOME)).toEqual([0, 1]);
  expect(files.lines[0]).toMatch(/gives less than 48\.8 KiB a second; going on from https:/);
  expect(Number(/bytes=(\d+)-/.exec(door.asks[0] ?? "")?.[1])).toBeGreaterThan(1000);
  await files.read(SOME);
  expect(mirror.asks).toHaveLength(1);
});

test("what hpsd alone has is never asked of another, however long hpsd is away", async () => {
  using mirror = await openMirror();
  using files = await rig([mirror.url]);
  door.fate = (before) => (before < 3 ? { status: 503 } : "whole");
  expect(await files.read(SOME, { origin: files.spans.hpsd })).toEqual([1]);
  expect([mirror.asks.length, door.asks.length]).toEqual([0, 4]);
});

test("who stops reading right after the last byte, or before it, ends nothing but that", async () => {
  using files = await rig();
  const options = { what: "pack one", signal: AbortSignal.timeout(30_000), log: () => undefined };
  for (const enough of [400_000, 1, 400_000]) {
    let read = 0;
    for await (const { bytes } of files.spans.read(file, { from: 0, to: 400_000 }, options)) {
      read += bytes.length;
      if (read >= enough) break;
    }
    await sleep(50); // an error that nobody hears would end this process
  }
  await files.read(SOME);
});

test("what origins gave wrongly is asked of the next, until there is none", async () => {
  using files = await rig(["http://127.0.0.1:1/none"]);
  expect(files.spans.distrust(0)).toBe(1);
  expect(files.spans.distrust(1)).toBeUndefined();
});
