import { once } from "node:events";
import { constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { EchoService } from "../gen/rpc/testing/echo_pb.ts";
import { client } from "./rpc-client.ts";
import { makeLeaf } from "./testing/certificates.ts";
import type { Rig } from "./testing/echo-rig.ts";
import { rawSession } from "./testing/raw-peer.ts";
import { failure, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) {
    socket.destroy();
  }
});

function track<T extends Socket>(socket: T): T {
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

async function tcp(rig: Rig): Promise<Socket> {
  const socket = track(connectTcp(rig.port, "127.0.0.1"));
  await once(socket, "connect");
  return socket;
}

async function tls(rig: Rig, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const own = { key: rig.clientLeaf.key, cert: rig.clientLeaf.cert, ca: rig.root.pem };
  const target = { host: "127.0.0.1", port: rig.port, servername: "localhost", ALPNProtocols: ["h2"] };
  const socket = track(connectTls({ ...target, ...own, ...options }));
  await once(socket, "secureConnect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) {
    await once(socket, "close");
  }
}

test("a connection that asks for nothing is let go, also after its calls", async () => {
  const rig = await startRig({}, { limits: { idleMs: 300 } });
  await rig.echo.unary({ text: "x" });
  await rawSession(rig);
  expect(rig.server.connections).toBe(2);
  await expect.poll(() => rig.server.connections, { timeout: 5_000 }).toBe(0);
});

test("a peer that says nothing is cut: before the handshake, after it, and in the middle of the preface", async () => {
  const rig = await startRig({}, { limits: { handshakeMs: 700 } });
  const silent = await tcp(rig);
  const afterHandshake = await tls(rig);
  const halfPreface = await tls(rig);
  halfPreface.write("PRI * HTTP/2.0\r\n");
  await Promise.all([silent, afterHandshake, halfPreface].map(closed));
  await expect.poll(() => rig.server.connections).toBe(0);
  // Who spoke in time is not.
  await rig.echo.unary({});
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(rig.server.connections).toBe(1);
});

test("a peer that speaks something else is cut at once", async () => {
  const rig = await startRig({}, { limits: { handshakeMs: 600_000 } });
  const plain = await tcp(rig);
  plain.write("GET / HTTP/1.1\r\n\r\n");
  const http1 = await tls(rig);
  http1.write("GET / HTTP/1.1\r\n\r\n");
  await Promise.all([plain, http1].map(closed));
  expect(await failure(tls(rig, { ALPNProtocols: ["http/1.1"] }))).toBeDefined();
});

test("connections are limited for one address and in all, and freed", async () => {
  const one = await startRig({}, { limits: { connectionsPerAddress: 2 } });
  const total = await startRig({}, { limits: { connections: 2 } });
  for (const rig of [one, total]) {
    const first = await tls(rig);
    await tls(rig);
    await closed(await tcp(rig));
    expect(rig.server.connections).toBe(2);
    first.destroy();
    await expect.poll(() => rig.server.connections).toBe(1);
    await rig.echo.unary({});
  }
});

test("no TLS below 1.3", async () => {
  const rig = await startRig();
  expect((await tls(rig)).getProtocol()).toBe("TLSv1.3");
  expect(await failure(tls(rig, { maxVersion: "TLSv1.2" }))).toBeDefined();
});

test("a TLS session cannot be resumed", async () => {
  const rig = await startRig();
  const first = await tls(rig);
  // TLS 1.3 sends tickets after the handshake; a call makes sure they would have come.
  const tickets: Buffer[] = [];
  first.on("session", (ticket) => tickets.push(ticket));
  first.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  await once(first, "data");
  for (const session of [...tickets, first.getSession()]) {
    if (session !== undefined) {
      const second = await tls(rig, { session });
      expect(second.isSessionReused()).toBe(false);
    }
  }
});

test("a replaced certificate serves new connections and leaves the open ones", async () => {
  const rig = await startRig();
  await rig.echo.unary({});
  const next = await makeLeaf(rig.root, { name: "next" });
  rig.server.replaceCertificate({ key: next.key, chain: next.cert });
  const socket = await tls(rig);
  expect(socket.getPeerX509Certificate()?.subject).toBe("CN=next");
  expect(socket.getProtocol()).toBe("TLSv1.3");
  await rig.echo.unary({});
  // The rig's connection, not a new one, and this test's.
  expect(rig.server.connections).toBe(2);
  await client(EchoService, rig.open()).unary({});
  expect(() => rig.server.replaceCertificate({ key: rig.clientLeaf.key, chain: next.cert })).toThrow(
    "the new server certificate and key cannot be used",
  );
  expect((await tls(rig)).getPeerX509Certificate()?.subject).toBe("CN=next");
});

test("a port that is taken is named", async () => {
  const rig = await startRig();
  const certificate = { key: rig.serverLeaf.key, chain: rig.serverLeaf.cert };
  const error = await failure(rig.server.listen({ host: "127.0.0.1", port: rig.port, certificate }));
  expect(String(error)).toContain(`cannot listen on 127.0.0.1 port ${rig.port}`);
});

test("a peer opening and resetting streams without end is cut off, and others are served", async () => {
  const rig = await startRig();
  const session = await rawSession(rig, rig.clientLeaf);
  const headers = { ":method": "POST", ":path": "/rpc.testing.EchoService/Chat", "content-type": "application/grpc" };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
  let opened = 0;
  for (; !session.destroyed && opened < 50_000; opened += 50) {
    const streams = Array.from({ length: session.destroyed ? 0 : 50 }, () => session.request(headers));
    for (const stream of streams) {
      stream.on("error", () => undefined);
    }
    await pause();
    for (const stream of streams) {
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await pause();
  }
  expect(session.destroyed).toBe(true);
  await rig.echo.unary({});
  await expect.poll(() => rig.server.activeCalls).toBe(0);
});

test("calls at one time on one connection are limited", async () => {
  let most = 0;
  const rig = await startRig(
    {
      unary: async () => {
        most = Math.max(most, rig.server.activeCalls);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return {};
      },
    },
    { limits: { streams: 4 } },
  );
  await rig.echo.unary({});
  await Promise.all(Array.from({ length: 40 }, () => rig.echo.unary({})));
  expect(most).toBe(4);
});
