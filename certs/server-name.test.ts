import { once } from "node:events";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterAll, expect, test } from "vitest";
import { HpsError } from "../proto/values/hps-error.ts";
import { pairCredentials, tlsKeyPair } from "./credentials.ts";
import { serverIdentityCheck } from "./server-name.ts";
import { makeChain, makePeer, PEERS, type TestPeer } from "./test-chain.ts";
import { createTrust } from "./trust.ts";
import { verifyPeer } from "./verify.ts";

const chain = await makeChain();
const root = chain.root.certificate.toString();
const trust = createTrust([chain.root.certificate], [chain.intermediate.certificate]);
const check = serverIdentityCheck("example.org");

function pair(peer: TestPeer) {
  const { intermediate } = chain;
  return { ...tlsKeyPair(pairCredentials(peer.privateKey, [peer.certificate, intermediate.certificate])), ca: [root] };
}

const open = new Set<{ close(): void }>();
afterAll(() => {
  for (const server of open) server.close();
});

/** Listens with `peer`'s certificate; tells every client what TLS and then we make of its certificate. */
async function listen(peer: TestPeer): Promise<number> {
  const server = createServer({ ...pair(peer), requestCert: true, rejectUnauthorized: false }, greet);
  server.on("tlsClientError", () => undefined);
  open.add(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on TCP");
  return address.port;
}

function greet(socket: TLSSocket): void {
  socket.on("error", () => undefined);
  const leaf = socket.getPeerX509Certificate()?.raw ?? Buffer.of();
  socket.end(`${socket.authorized ? "authorized" : socket.authorizationError}; ${verdict(leaf)}`);
}

function verdict(leaf: Buffer): string {
  try {
    return verifyPeer(trust, { leaf, now: Date.now(), purpose: "client" }).uri;
  } catch (error) {
    return error instanceof HpsError ? `${error.details.reason}` : "unexpected";
  }
}

async function dial(port: number, client: TestPeer, host: string): Promise<string> {
  const at = { port, host: "127.0.0.1", servername: host };
  const socket = connect({ ...at, ...pair(client), checkServerIdentity: (_, peer) => check(host, peer) });
  let greeting = "";
  socket.on("data", (bytes) => {
    greeting += bytes.toString();
  });
  try {
    await once(socket, "end");
  } finally {
    socket.destroy();
  }
  return greeting;
}

const server = await makePeer(chain, PEERS.server);
const host = await makePeer(chain, PEERS.host);

test("client and server prove themselves with leaf and intermediate, knowing only the root", async () => {
  const port = await listen(server);
  expect(await dial(port, host, "localhost")).toBe(`authorized; spiffe://example.org/host/${PEERS.host.id}`);
});

test("a name the certificate does not bear is refused", async () => {
  const port = await listen(server);
  await expect(dial(port, host, "example.org")).rejects.toThrow("the server's certificate is not for example.org");
});

test("a host's certificate is no server's: TLS refuses its use", async () => {
  const port = await listen(host);
  await expect(dial(port, host, "localhost")).rejects.toThrow(/unsuitable certificate purpose/);
});

test("a server's certificate is no client's, another authority's is nobody's", async () => {
  const port = await listen(server);
  expect(await dial(port, server, "localhost")).toMatch(/PURPOSE; usage$/);
  const stranger = await makePeer(await makeChain(), PEERS.host);
  expect(await dial(port, stranger, "localhost")).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE; untrusted$/);
});

test("the check itself: address or name, a server, of this domain", async () => {
  for (const good of ["localhost", "hps.example.org", "HPS.example.org", "127.0.0.1", "::1"]) {
    expect(check(good, server.certificate)).toBeUndefined();
  }
  // The common name is "server hpsd".
  for (const bad of ["hpsd", "127.0.0.2", "a.hps.example.org", "server hpsd", ""]) {
    expect(check(bad, server.certificate)).toMatchObject({ code: "unauthenticated" });
  }
  expect(check("localhost", host.certificate)?.message).toMatch(/is no HPS server: it is host/);
  expect(serverIdentityCheck("example.com")("localhost", server.certificate)?.message).toMatch(/not of example.com/);
  expect(check("localhost", { raw: Buffer.from("x") })?.message).toMatch(/unreadable/);
});
