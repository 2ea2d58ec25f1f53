import { randomBytes } from "node:crypto";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { frame, rawCall } from "../../proto/rpc/testing/raw-peer.ts";
import { armHost, enrolHost } from "./load-agents.ts";
import { residentBytes, startHpsd, until } from "./real-hpsd.ts";

const HANDSHAKE_MS = 2_000;
const PER_ADDRESS = 200;
const CONFIG = `limits:
  connectionsPerAddress: ${PER_ADDRESS}
  handshake: ${HANDSHAKE_MS}ms
  requestsPerMinute: 100000
log:
  level: warn
`;
/** What hpsd may grow by, whatever comes. */
const GROWTH = 256 * 1024 * 1024;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let before: number;
let credentials: { readonly key: string; readonly cert: string };

beforeAll(async () => {
  hpsd = await startHpsd({ config: CONFIG });
  const identity = await enrolHost(await armHost(hpsd.admin, 1), `${hpsd.folder}/agents`, { min: 100, max: 1_000 });
  credentials = tlsKeyPair(identity.credentials);
  before = residentBytes(hpsd.program().pid);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

/** Whatever was done to it: the same process serves, at both ports, and is no larger than it may be. */
afterEach(async ({ task }) => {
  await until("a new connection is served", 20_000, async () => await serves());
  const now = residentBytes(hpsd.program().pid);
  expect(now - before).toBeLessThan(GROWTH);
  expect(hpsd.program().output()).not.toMatch(/"level":50|unexpectedly/);
  console.info(`${task.name}: ${mib(before)} MiB before, ${mib(now)} MiB now`);
});

const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);

async function serves(): Promise<boolean> {
  const hps = await hpsd.connect();
  const well = await fetchCaCerts();
  return await hps.identity.whoAmI({}, { timeoutMs: 5_000 }).then(
    () => well,
    () => false,
  );
}

function fetchCaCerts(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tls(hpsd.https);
    socket.once("secureConnect", () => {
      socket.write("GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.once("data", (data: Buffer) => resolve(data.toString("latin1").startsWith("HTTP/1.1 200")));
    socket.once("close", () => resolve(false));
  });
}

function tls(port: number): Socket {
  const ALPNProtocols = ["h2", "http/1.1"];
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols });
  socket.on("error", () => undefined);
  return socket;
}

function tcp(port: number, localAddress = "127.0.0.1"): Socket {
  const socket = connectTcp({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => undefined);
  return socket;
}

function closedOf(sockets: readonly Socket[]): number {
  return sockets.filter(({ closed }) => closed).length;
}

/** Sends it all as soon as it can; resolves with what came back when hpsd has closed. */
function closedAfter(socket: Socket, bytes: Uint8Array, ready: "connect" | "secureConnect"): Promise<string> {
  let text = "";
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1").slice(0, 1000);
  });
  socket.once(ready, () => socket.write(bytes));
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}

function http2Frame(type: number, flags: number, stream: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

test("garbage in clear, in TLS and behind the preface is cut off at both ports", async () => {
  const settings = http2Frame(4, 0, 0, Buffer.alloc(0));
  const garbage = [
    randomBytes(100_000),
    Buffer.from("GET / HTTP/1.0\r\n\r\n"),
    Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, ...randomBytes(2_000)]),
    Buffer.concat([PREFACE, randomBytes(50_000)]),
    Buffer.concat([PREFACE, settings, http2Frame(1, 4, 1, randomBytes(5_000))]),
    Buffer.concat([PREFACE, settings, http2Frame(9, 0, 1, randomBytes(100))]),
    Buffer.concat([PREFACE, settings, http2Frame(6, 0, 1, Buffer.alloc(8))]),
    Buffer.concat([PREFACE, settings, http2Frame(8, 0, 0, Buffer.alloc(4))]),
    Buffer.concat([PREFACE, settings, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]),
  ];
  const closings = [hpsd.grpc, hpsd.https].flatMap((port) =>
    garbage.flatMap((bytes) => [
      closedAfter(tcp(port), bytes, "connect"),
      closedAfter(tls(port), bytes, "secureConnect"),
    ]),
  );
  const answers = await Promise.all(closings.map((closing) => Promise.race([closing, sleep(30_000, "not closed")])));
  expect(answers).not.toContain("not closed");
  for (const answer of answers) expect(answer).not.toMatch(/at .*\.(ts|js):/);
});

test("silent and slow peers are cut off, many cannot keep others out, and what is open goes on", async () => {
  const { admin } = hpsd;
  const sockets = [hpsd.grpc, hpsd.https].flatMap((port) =>
    Array.from({ length: PER_ADDRESS + 100 }, () => tcp(port, "127.0.0.9")),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await until("those above the limit are refused", 10_000, () => closedOf(sockets) >= 200);
  // Another address is served all the while.
  expect(await serves()).toBe(true);
  expect(await admin.identity.whoAmI({})).toBeDefined();
  // Dribblers: a byte at a time of a handshake, of a preface, of a request's head.
  const slow = [tcp(hpsd.grpc), tcp(hpsd.https), tls(hpsd.grpc)];
  const dribble = setInterval(() => {
    for (const [index, socket] of slow.entries()) socket.write(index === 2 ? "P" : Buffer.from([0x16]));
  }, 200);
  onTestFinished(() => clearInterval(dribble));
  await until("all silent peers are gone", HANDSHAKE_MS * 5, () => closedOf(sockets) === sockets.length);
  await until("all slow peers are gone", HANDSHAKE_MS * 5, () => closedOf(slow) === slow.length);
});

async function session(own?: typeof credentials): Promise<ClientHttp2Session> {
  const made = connectHttp2(`https://localhost:${hpsd.grpc}`, { rejectUnauthorized: false, ...own });
  made.on("error", () => undefined);
  onTestFinished(() => made.destroy());
  await new Promise((resolve) => made.once("connect", resolve));
  return made;
}

test("malformed and oversized messages get a clear status", async () => {
  const path = "/hps.v1.AgentService/GetConfiguration";
  const claims = Buffer.from([0, 0x40, 0, 0, 0]);
  const bodies: readonly (readonly [string, Buffer, readonly number[]])[] = [
    ["no protobuf", frame(Buffer.from([0xff, 0xff, 0xff])), [3]],
    ["no UTF-8", frame(Buffer.from([0x0a, 2, 0xc3, 0x28])), [3]],
    ["random", frame(randomBytes(1_000)), [3]],
    ["2 MiB", frame(Buffer.alloc(2 * 1024 * 1024)), [8]],
    ["1 GiB announced", Buffer.concat([claims, randomBytes(1_000)]), [8]],
    ["compressed without a name", Buffer.from([1, 0, 0, 0, 1, 0]), [3, 13]],
    ["cut off", frame(randomBytes(100)).subarray(0, 50), [1, 3, 13]],
  ];
  for (const [what, body, codes] of bodies) {
    const { status, message } = await rawCall(await session(credentials), path, body);
    expect(codes, `${what}: ${status} ${message}`).toContain(status);
    expect(message).not.toMatch(/\/server\/|node_modules|undefined/);
  }
  // Nobody is told no more than that: before a byte of the request is read.
  expect(await rawCall(await session(), path, frame(randomBytes(1_000)))).toMatchObject({ status: 16 });
  expect(
    await rawCall(await session(credentials), "/hps.v1.AgentService/Nothing", frame(randomBytes(10))),
  ).toMatchObject({
    status: 12,
  });
});

test("floods of streams, resets, pings and headers end nothing but themselves", async () => {
  const resets = await session(credentials);
  for (let count = 0; count < 5_000 && !resets.destroyed && !resets.closed; count += 1) {
    try {
      const stream = resets.request({ ":method": "POST", ":path": "/hps.v1.AgentService/Attach" });
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
    } catch {
      break; // hpsd has closed it
    }
    if (count % 100 === 0) await sleep(1);
  }
  const pings = tls(hpsd.grpc);
  const ping = http2Frame(6, 0, 0, Buffer.alloc(8));
  const settings = http2Frame(4, 0, 0, Buffer.alloc(0));
  const flood = Buffer.concat([PREFACE, settings, ...Array.from({ length: 50_000 }, () => ping)]);
  pings.once("secureConnect", () => pings.write(flood));
  // One header block without an end.
  const endless = tls(hpsd.grpc);
  const part = Array.from({ length: 500 }, () => http2Frame(9, 0, 1, Buffer.alloc(16_000, 0x40)));
  const block = Buffer.concat([PREFACE, settings, http2Frame(1, 0, 1, Buffer.alloc(10)), ...part]);
  const cut = closedAfter(endless, block, "secureConnect");
  expect(await Promise.race([cut, sleep(20_000, "not closed")])).not.toBe("not closed");
  const streams = await session(credentials);
  const open = Array.from({ length: 1_000 }, () => {
    const stream = streams.request({ ":method": "POST", ":path": "/hps.v1.AgentService/Attach", te: "trailers" });
    stream.on("error", () => undefined);
    return stream;
  });
  expect(await serves()).toBe(true);
  for (const stream of open) stream.destroy();
  pings.destroy();
});

test("the HTTPS door answers what it cannot take with a status and no more", async () => {
  const ask = (text: string | Buffer) => closedAfter(tls(hpsd.https), Buffer.from(text), "secureConnect");
  const post = (head: string, body: string | Buffer = "") =>
    ask(
      Buffer.concat([
        Buffer.from(
          `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${head}\r\n`,
        ),
        Buffer.from(body),
      ]),
    );
  const type = "Content-Type: application/pkcs10\r\n";
  const basic = `Authorization: Basic ${Buffer.from(`claim:${"x".repeat(43)}`).toString("base64")}\r\n`;
  const answers = await Promise.all([
    ask(`GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
    ask(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(40_000)}\r\n\r\n`),
    ask("GET /\u0000 HTTP/1.1\r\n\r\n"),
    post(`${type}Content-Length: 10000000\r\n`, randomBytes(100_000)),
    post(`${type}${basic}Content-Length: 100\r\n`, randomBytes(100)),
    post(`${type}Authorization: Basic \x01\r\nContent-Length: 3\r\n`, "abc"),
    post(`Content-Type: text/html\r\nContent-Length: 3\r\n`, "abc"),
    post(`${type}Transfer-Encoding: chunked\r\n`, "zz\r\n"),
    post(`${type}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`, "0\r\n\r\n"),
  ]);
  for (const answer of answers) {
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).not.toMatch(/at .*\.(ts|js):|node_modules|fastify/i);
  }
});
