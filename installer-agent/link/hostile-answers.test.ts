/** What any server may send in place of an answer: each ends at a limit, and never as a file's content. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { bodyLength, readHead, unchunked } from "./answer-head.ts";
import { Connections } from "./connections.ts";
import type { FileOrigin } from "./file-origin.ts";
import { requestFile } from "./file-request.ts";

const CONTENT = Buffer.from("0123456789".repeat(20));
const RANGE = "Content-Range: bytes 50-149/200\r\n";
const RIGHT = `HTTP/1.1 206 Partial Content\r\nContent-Length: 100\r\n${RANGE}\r\n${CONTENT.subarray(50, 150)}`;
const IDLE_MS = 150;

/** Bytes 50 to 149 of CONTENT from a server that does `answer`, or why not. */
async function asked(answer: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.once("data", () => answer(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const origin: FileOrigin = {
    address: "there",
    target: () => ({ host: "127.0.0.1", port, tls: undefined }),
    path: (digest) => `/${digest}`,
    refusal: (status, body) => new HpsError("denied", `refused with ${status}: ${body.length} bytes`),
  };
  const connections = new Connections(2);
  const file = { digest: "a".repeat(64), sizeBytes: CONTENT.length };
  const limits = { idleMs: IDLE_MS, signal: AbortSignal.timeout(20_000) };
  const read: Buffer[] = [];
  try {
    for await (const bytes of requestFile({ origin, connections, file, from: 50, to: 150, ...limits })) {
      read.push(Buffer.from(bytes));
    }
    return Buffer.concat(read).toString("latin1");
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    return `${error.code}: ${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`;
  } finally {
    connections.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function again(text: string, ms = 0) {
  return (socket: Socket) => {
    const timer = setInterval(() => socket.write(text), ms);
    socket.on("close", () => clearInterval(timer));
  };
}

const at = (text: string) => (socket: Socket) => void socket.write(text, "latin1");
const head = (headers: string) => `HTTP/1.1 206 X\r\n${RANGE}${headers}\r\n${CONTENT.subarray(50, 150)}`;

test.each<[string, (socket: Socket) => void, RegExp]>([
  ["one answer", at(RIGHT), /^0123456789/],
  ["interim answers without end", again("HTTP/1.1 100 Continue\r\n\r\n".repeat(3)), /^unavailable: .*again and again/],
  ["headers without end", again("a: b\r\n".repeat(300)), /^unavailable: .* no HTTP|16 KiB of headers/],
  [
    "a status, then headers without end",
    (s) => [at("HTTP/1.1 206 X\r\n"), again(`a: ${"b".repeat(2000)}\r\n`)].map((f) => f(s)),
    /16 KiB of headers/,
  ],
  ["a head that drips", again("H", 20), /^unavailable: .*nothing came for|no HTTP/],
  ["nothing", () => undefined, /^unavailable: nothing came for/],
  ["a body that stops", at(RIGHT.slice(0, -1)), /^unavailable: nothing came for/],
  ["too long a length", at(head("Content-Length: 101\r\n")), /^data-loss: .*another length/],
  ["too short a length", at(head("Content-Length: 99\r\n")), /^data-loss: .*another length/],
  ["two lengths", at(head("Content-Length: 100\r\nContent-Length: 99\r\n")), /^data-loss: .*another length/],
  [
    "a length and chunks",
    at(head("Content-Length: 100\r\nTransfer-Encoding: chunked\r\n")),
    /^data-loss: .*another length/,
  ],
  [
    "chunks",
    at(head("Transfer-Encoding: chunked\r\n").replace("\r\n\r\n", "\r\n\r\n64\r\n")),
    /^data-loss: .*another length/,
  ],
  ["another range", at(RIGHT.replace("50-149", "51-150")), /^data-loss: .*another length/],
  ["an answer with rubbish behind it", at(`${RIGHT}${RIGHT}`), /^(?:0123456789){10}$/],
  [
    "a refusal without end",
    again(`HTTP/1.1 404 X\r\n\r\n${"x".repeat(9000)}`),
    /^denied: refused with 404: 16384 bytes/,
  ],
  [
    "a refusal in chunks without end",
    again(`HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`, 10),
    /^unavailable: nothing came/,
  ],
])("%s", async (_, answer, why) => {
  expect(await asked(answer)).toMatch(why);
});

const piece = fc.constantFrom(
  ...["HTTP/1.1 206 X\r\n", "HTTP/1.0 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", RANGE, "Content-Length: 100\r\n"],
  ...[
    "Content-Length: -1\r\n",
    "Connection: close\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "64\r\n",
    "0\r\n\r\n",
  ],
  ...[CONTENT.toString("latin1", 50, 150), CONTENT.toString("latin1"), "\0", ":", "x", RIGHT, RIGHT.slice(30)],
);

test("whatever comes, in whatever pieces, is the right content or an error", async () => {
  const property = fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.boolean(), async (pieces, ends) => {
    const found = await asked((socket) => {
      for (const one of pieces) socket.write(one, "latin1");
      if (ends) socket.end();
    });
    if (!/^[a-z-]+: /.test(found)) expect(found).toHaveLength(100);
  });
  await fc.assert(property, { numRuns: 40, examples: [[[RIGHT], true]] });
});

test("any bytes are a head that ends in time, no head yet, or none", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(piece, { maxLength: 9 }).map((pieces) => Buffer.from(pieces.join(""), "latin1")),
  );
  const property = fc.property(bytes, (some) => {
    let found: ReturnType<typeof readHead>;
    try {
      found = readHead(Buffer.from(some));
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      return;
    }
    if (found === undefined) return;
    expect(found.length).toBeLessThanOrEqual(some.length);
    expect(found.head.status).toBeGreaterThanOrEqual(0);
    expect(bodyLength(found.head) ?? 0).toBeGreaterThanOrEqual(0);
  });
  fc.assert(property, { numRuns: 1000 });
});

test("chunks give back what they were made of; what are none give no more than there is", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 })), (parts) => {
      const chunks = parts.map((part) =>
        Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
      );
      const body = Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]);
      expect(unchunked(body).equals(Buffer.concat(parts))).toBe(true);
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (some) => unchunked(Buffer.from(some)).length <= some.length));
});
