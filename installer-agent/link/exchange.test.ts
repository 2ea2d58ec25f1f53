import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Connections } from "./connections.ts";
import { Exchange } from "./exchange.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that answers each request as told, whatever that is; and what asks it. */
async function openServer(answer: (socket: Socket, request: number) => void | Promise<void>) {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.on("data", () => {
      requests += 1;
      void answer(socket, requests);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const connections = new Connections(2);
  closing.push(() => {
    connections.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const target = { host: "127.0.0.1", port, tls: undefined };
  const ask = (signal = AbortSignal.timeout(20_000)) =>
    Exchange.ask({ target, path: "/x", headers: { accept: "*/*" }, connections, signal });
  const body = async () => {
    const exchange = await ask();
    const parts: Buffer[] = [];
    for (let bytes = await exchange.next(); bytes !== undefined; bytes = await exchange.next()) {
      parts.push(Buffer.from(bytes));
    }
    return Buffer.concat(parts).toString("latin1");
  };
  return { ask, body, sockets, requests: () => requests };
}

const answered = (text: string) => openServer((socket) => void socket.write(text, "latin1"));
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

test("answers come whole, however they are cut, over one connection", async () => {
  const server = await openServer(async (socket) => {
    for (const byte of `HTTP/1.1 100 Continue\r\n\r\n${OK}`) {
      socket.write(byte);
      await sleep(1);
    }
  });
  expect([await server.body(), await server.body()]).toEqual(["hello", "hello"]);
  expect(server.sockets.size).toBe(1);
});

test.each([
  ["is no HTTP", "SSH-2.0-x\r\n\r\n", "no HTTP/1.1 server"],
  ["has a header that is none", "HTTP/1.1 200 OK\r\nno header\r\n\r\n", "a header that is none"],
  ["has headers without end", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(4000)}`, "16 KiB of headers"],
])("what %s is refused", async (_, text, why) => {
  await expect((await answered(text)).body()).rejects.toThrow(why);
});

test.each([
  ["none", ""],
  ["two", "content-length: 5\r\nContent-Length: 6\r\n"],
  ["no number as", "content-length: 0x5\r\n"],
  ["chunks and", "content-length: 5\r\ntransfer-encoding: chunked\r\n"],
])("a body with %s length has none that is believed", async (_, headers) => {
  const exchange = await (await answered(`HTTP/1.1 200 OK\r\n${headers}\r\nhello`)).ask();
  expect(exchange.length).toBeUndefined();
  exchange.end();
});

test("a body that ends early is an error; bytes behind it end the connection", async () => {
  const short = await openServer((socket) => void socket.end(OK.slice(0, -1)));
  await expect(short.body()).rejects.toMatchObject({ code: "ECONNRESET" });
  const long = await answered(`${OK}${OK}`);
  expect([await long.body(), await long.body()]).toEqual(["hello", "hello"]);
  expect(long.sockets.size).toBe(2);
});

test("a connection that was closed while nobody asked is opened anew", async () => {
  const server = await openServer((socket, request) => void (request % 2 === 1 ? socket.write(OK) : socket.end()));
  expect([await server.body(), await server.body()]).toEqual(["hello", "hello"]);
  expect([server.sockets.size, server.requests()]).toEqual([2, 3]);
  const mute = await openServer((socket) => void socket.end());
  await expect(mute.ask()).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(mute.requests()).toBe(1);
});

test("the text of a refusal comes in chunks, or up to its end, or cut", async () => {
  const text = async (answer: string, most = 100) => (await (await answered(answer)).ask()).text(most);
  const chunks = "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
  expect(String(await text(`HTTP/1.1 404 X\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`))).toBe("hello world");
  const closing = await openServer((socket) => void socket.end("HTTP/1.1 404 X\r\n\r\nhello"));
  expect(String(await (await closing.ask()).text(100))).toBe("hello");
  expect(String(await text(`HTTP/1.1 404 X\r\ncontent-length: 9000\r\n\r\n${"a".repeat(50)}`, 10))).toBe(
    "a".repeat(10),
  );
});

test("who reads slowly holds up who sends, and loses nothing", async () => {
  const size = 64 << 20;
  let sent = 0;
  const server = await openServer(async (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    for (; sent < size; sent += 1 << 20) {
      if (!socket.write(Buffer.alloc(1 << 20, sent >> 20))) await once(socket, "drain");
    }
  });
  const exchange = await server.ask();
  await sleep(300);
  expect(sent).toBeLessThan(size / 2);
  let read = 0;
  for (let bytes = await exchange.next(); bytes !== undefined; bytes = await exchange.next()) {
    expect(bytes.length).toBeLessThan(1 << 20);
    for (let at = 0; at < bytes.length; at += 4096) {
      if (bytes[at] !== ((read + at) >> 20) % 256) throw new Error(`wrong byte at ${read + at}`);
    }
    read += bytes.length;
  }
  expect(read).toBe(size);
});

test("a signal ends it before and after the answer has begun", async () => {
  const server = await openServer((socket, request) => void (request === 1 || socket.write(OK.slice(0, -1))));
  for (let round = 0; round < 2; round += 1) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    const read = async () => {
      const exchange = await server.ask(stop.signal);
      await exchange.next();
      await exchange.next();
    };
    await expect(read()).rejects.toThrow("ended too early");
  }
});
