import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:tls";
import fastify from "fastify";
import { Registry } from "prom-client";
import { expect, test, vi } from "vitest";
import { makeRequest } from "../../certs/csr.ts";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { newClaimToken } from "../../proto/values/claim-token.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { LIFETIME } from "../core/identity/lifetimes.ts";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestIdentity } from "../core/testing/test-identity.ts";
import { addTestOperator } from "../core/testing/test-rows.ts";
import { selectAudit } from "../store/audit.ts";
import { answerError } from "./error-answer.ts";
import { type DoorApp, inScope } from "./https-door.ts";
import { monitoringRoutes } from "./monitoring.ts";
import { openTestDoor, type TestDoor } from "./testing.ts";

interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly peer?: { readonly key: string; readonly cert: string };
}

async function ask(identity: TestIdentity, { door }: TestDoor, { path, body, peer, ...rest }: Ask) {
  const ca = identity.authority.rootPem;
  const to = { host: "localhost", port: door.port, path, ca, agent: false, ...rest, ...peer };
  const outgoing = request({ method: body === undefined ? "GET" : "POST", ...to });
  outgoing.end(body);
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

const enrol = { path: "/.well-known/est/simpleenroll", method: "POST" };
const pkcs10 = { "content-type": "application/pkcs10" };
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

test("what a route throws is not shown; an HpsError is, as text or JSON, with its status", async () => {
  await using identity = await openTestIdentity();
  const routes = [
    (app: DoorApp) => {
      app.get("/broken", () => Promise.reject(new Error("secret of /etc")));
      app.get("/teapot", () => Promise.reject(Object.assign(new Error("secret"), { statusCode: 418 })));
      app.get("/denied", () =>
        Promise.reject(
          new HpsError("denied", "not \u001b[31myou", { hint: "ask", details: { incident: "abc" }, cause: "secret" }),
        ),
      );
    },
  ];
  await using door = await openTestDoor(identity, { routes });
  for (const path of ["/broken", "/teapot"]) {
    const broken = await ask(identity, door, { path });
    expect(broken).toMatchObject({ status: 500, body: expect.stringMatching(/^internal error\nincident \w+\n$/) });
    expect(broken.body).toContain(door.incidents.at(-1)?.id);
  }
  const text = await ask(identity, door, { path: "/denied" });
  expect(text).toMatchObject({ status: 403, body: "not \\x1b[31myou\nask\nincident abc\n" });
  const json = await ask(identity, door, { path: "/denied", headers: { accept: "application/json" } });
  expect(JSON.parse(json.body)).toEqual({
    code: "denied",
    message: "not \u001b[31myou",
    hint: "ask",
    details: { incident: "abc" },
  });
  const nowhere = await ask(identity, door, { path: "/%3Cscript%3E" });
  expect(nowhere).toMatchObject({ status: 404, body: "there is nothing at this address\n" });
  expect(nowhere.headers["content-type"]).toContain("text/plain");
});

const BAD: readonly [string, Omit<Ask, "path">, number, RegExp][] = [
  ["no credentials", { headers: pkcs10, body: "x" }, 401, /needs a user and a token/],
  ["another user", { headers: { ...pkcs10, ...basic("root:x") }, body: "x" }, 401, /as user claim or operator/],
  ["no Basic", { headers: { ...pkcs10, authorization: "Bearer x" }, body: "x" }, 400, /not Basic/],
  ["a token that is none", { headers: { ...pkcs10, ...basic("claim:short") }, body: "x" }, 400, /claim token is not/],
  [
    "an invitation that is none",
    { headers: { ...pkcs10, ...basic("operator:a.b") }, body: requestDer() },
    400,
    /not an invitation/,
  ],
  [
    "a request that is none",
    { headers: { ...pkcs10, ...basic(`operator:${newClaimToken()}`) }, body: "x" },
    400,
    /request/,
  ],
  [
    "an unknown invitation",
    { headers: { ...pkcs10, ...basic(`operator:${newClaimToken()}`) }, body: requestDer() },
    401,
    /cannot be used/,
  ],
  [
    "bad facts",
    { headers: { ...pkcs10, ...basic(`claim:${newClaimToken()}`), "hps-facts": "!" }, body: "x" },
    400,
    /base64url/,
  ],
  ["another content type", { headers: { "content-type": "application/json" }, body: "{}" }, 415, /content type/],
  ["a body too large", { headers: pkcs10, body: Buffer.alloc(70_000) }, 413, /too large/],
];

test.each(BAD)("enrolment with %s", async (name, bad, status, message) => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  const answer = await ask(identity, door, { ...enrol, ...bad });
  expect(answer.status).toBe(status);
  expect(answer.body).toMatch(message);
  expect(door.incidents).toEqual([]);
  // To ask without credentials is how EST clients learn that they need some.
  const refusals =
    status === 401 && name !== "no credentials" ? [{ incident: /incident (\w+)/.exec(answer.body)?.[1] }] : [];
  const events = await identity.store.read((db) => selectAudit(db, { clusters: "all", limit: 9 }));
  expect(events).toMatchObject(refusals);
});

test("an address that asks too often is told to wait", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity, { limits: { perMinute: 3 } });
  const path = "/.well-known/est/cacerts";
  for (let count = 0; count < 3; count += 1) expect((await ask(identity, door, { path })).status).toBe(200);
  const limited = await ask(identity, door, { path });
  expect(limited).toMatchObject({ status: 429, body: expect.stringContaining("too many requests") });
  expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
});

test("no TLS session is resumed, nor anything older than TLS 1.3 spoken", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  const to = { host: "localhost", port: door.door.port, ca: identity.authority.rootPem, servername: "localhost" };
  const sessions: Buffer[] = [];
  const visit = async (session?: Buffer) => {
    const socket = connect({ ...to, ...(session && { session }) });
    socket.on("session", (given: Buffer) => sessions.push(given));
    await once(socket, "secureConnect");
    const reused = socket.isSessionReused();
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    return reused;
  };
  await visit();
  // OpenSSL hands out a session's name; there is nothing behind it.
  const [session] = sessions;
  if (session !== undefined) expect(await visit(session)).toBe(false);
  const old = connect({ ...to, maxVersion: "TLSv1.2" });
  const [error] = await once(old, "error");
  expect(String(error)).toMatch(/protocol version/);
});

test("metrics are for this machine and for operators", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  expect((await ask(identity, door, { path: "/metrics" })).status).toBe(200);
  expect(await ask(identity, door, { path: "/healthz" })).toMatchObject({ status: 200, body: "ok\n" });
  const reasons: string[] = [];
  const app: DoorApp = fastify({ https: {} });
  app.setErrorHandler((error, request, reply) => answerError(request, reply, error, () => undefined));
  const add = monitoringRoutes({
    registry: new Registry(),
    allowed: (address) => address === "127.0.0.1",
    healthy: () => false,
    resolve: (chain) => identity.principals.resolve(chain),
    refused: async (_who, reason) => {
      reasons.push(reason);
      return "abc";
    },
  });
  await app.register(inScope(add));
  const elsewhere = { remoteAddress: "192.0.2.1" };
  const refused = await app.inject({ url: "/metrics", ...elsewhere });
  expect(refused).toMatchObject({ statusCode: 401, body: expect.stringContaining("incident abc") });
  expect(reasons).toEqual(["metrics need an operator's certificate"]);
  expect(await app.inject({ url: "/healthz", ...elsewhere })).toMatchObject({ statusCode: 503, body: "not ok\n" });
});

test("a new certificate is for new connections; open ones go on", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  const serialOf = async () => {
    const socket = connect({ host: "localhost", port: door.door.port, ca: identity.authority.rootPem });
    await once(socket, "secureConnect");
    return { socket, serial: socket.getPeerCertificate().serialNumber };
  };
  const before = await serialOf();
  const keys = makeKey();
  const request = { kind: "server", subject: "hpsd", publicKey: keys.publicKey, dnsNames: ["localhost"] } as const;
  const signed = await identity.authority.sign({ ...request, lifetimeMs: LIFETIME.server });
  door.door.replaceCertificate({ key: privateKeyPem(keys.privateKey), chain: signed.chainPem });
  const after = await serialOf();
  expect(after.serial.toLowerCase()).toBe(signed.serial);
  expect(after.serial).not.toBe(before.serial);
  before.socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(String(await once(before.socket, "data"))).toContain("200 OK");
  before.socket.destroy();
  after.socket.destroy();
});

test("an expired host renews with its old key alone; an expired operator does not", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  await addTestOperator(identity.store, "alice", { "*": "admin" });
  const hostId = await addTestHost(identity.store, await addTestCluster(identity.store));
  const host = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId });
  const alice = await issueTestPeer(identity, { kind: "operator", subject: "alice" });
  const renew = (peer: typeof host, keys = peer.keys) =>
    ask(identity, door, { path: "/.well-known/est/simplereenroll", headers: pkcs10, body: makeRequest(keys), peer });
  identity.clock.forward(LIFETIME.host + 1000);
  expect(await renew(host, makeKey())).toMatchObject({ status: 401, body: expect.stringContaining("expired") });
  expect(await renew(alice)).toMatchObject({ status: 401 });
  const renewed = await renew(host);
  expect(renewed.status).toBe(200);
  expect((await renew(host)).body).toBe(renewed.body);
  identity.clock.forward(31 * 86_400_000);
  expect((await renew(host)).status).toBe(401);
});

function requestDer(): Buffer {
  return makeRequest(makeKey());
}

test("guessing addresses is limited, and so is holding a connection without reading", async () => {
  await using identity = await openTestIdentity();
  let open = 0;
  const routes = [
    (app: DoorApp) => {
      app.get("/large", ({ socket }) => {
        open += 1;
        socket.once("close", () => {
          open -= 1;
        });
        return "x".repeat(32 * 1024 * 1024);
      });
    },
  ];
  await using door = await openTestDoor(identity, { routes, limits: { perMinute: 3, idleMs: 500 } });
  const tried = [1, 2, 3, 4].map(() => ask(identity, door, { path: "/nothing" }));
  expect((await Promise.all(tried)).map(({ status }) => status).toSorted()).toEqual([404, 404, 404, 429]);
  const socket = connect({ port: door.door.port, host: "localhost", ca: identity.authority.rootPem });
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  let came = 0;
  socket.on("data", (chunk) => {
    came += chunk.length;
    socket.pause();
  });
  socket.write("GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await vi.waitFor(() => expect(came).toBeGreaterThan(0), { timeout: 10_000 });
  await vi.waitFor(() => expect(open).toBe(0), { timeout: 10_000 });
  socket.destroy();
});

test("an address that is no address is answered in our words and not repeated", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  const { status, body } = await ask(identity, door, { path: "/secret%ff" });
  expect({ status, body }).toEqual({ status: 400, body: "the request is malformed\n" });
});
