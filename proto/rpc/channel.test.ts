import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { EchoService } from "../gen/rpc/testing/echo_pb.ts";
import { type ChannelOptions, openChannel } from "./channel.ts";
import { client } from "./rpc-client.ts";
import { RpcServer } from "./rpc-server.ts";
import { makeAuthority, makeLeaf } from "./testing/certificates.ts";
import { ECHO, startRig as startBare } from "./testing/echo-rig.ts";
import { failure, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

test("a CA is always needed", async () => {
  const options = { address: "localhost:1", version: "1" };
  for (const ca of ["", "   ", Buffer.alloc(0), null, undefined]) {
    // Against the types, as plain JavaScript or an empty file would.
    expect(() => Reflect.apply(openChannel, undefined, [{ ...options, tls: { ca } }])).toThrow("no CA certificate");
  }
});

test.each(["", "localhost", "localhost:", "http://localhost:1", "a b:1", "::1:1", "unix:/tmp/x"])(
  "%j is no address",
  (address) => {
    expect(() => openChannel({ address, version: "1", tls: { ca: "-----BEGIN CERTIFICATE-----" } })).toThrow(
      "is not host:port",
    );
  },
);

test("a server that is not the right one is told from one that is not there", async () => {
  const rig = await startRig();
  const other = await makeAuthority("other");
  const { key, cert } = rig.clientLeaf;
  const mine = { ca: rig.root.pem, key, cert };
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const address = free.address();
  const refused = `localhost:${typeof address === "object" ? address?.port : 0}`;
  await new Promise((resolve) => free.close(resolve));
  const cases: readonly (readonly [Partial<ChannelOptions>, string])[] = [
    [{ address: refused }, `cannot reach ${refused}: connection refused`],
    [{ address: "no-such-host.invalid:1" }, "cannot reach no-such-host.invalid:1: the name is not known"],
    [
      { tls: { ...mine, ca: other.pem } },
      `cannot reach localhost:${rig.port}: its certificate is not signed by the CA we trust`,
    ],
    [
      { tls: { ...mine, serverName: "hpsd.example" } },
      `cannot reach localhost:${rig.port}: its certificate is for another name`,
    ],
    [
      { tls: { ...mine, checkServer: () => "its certificate is not a server's" } },
      `cannot reach localhost:${rig.port}: its certificate is not a server's`,
    ],
  ];
  for (const [changes, message] of cases) {
    expect(await failure(client(EchoService, rig.open(changes)).unary({}))).toMatchObject({
      code: "unavailable",
      message,
    });
  }
});

test("an expired server certificate is named as that", async () => {
  const rig = await startRig();
  const old = await makeLeaf(rig.root, { name: "server", hours: -1 });
  rig.server.replaceCertificate({ key: old.key, chain: old.cert });
  const message = `cannot reach localhost:${rig.port}: its certificate has expired`;
  expect(await failure(rig.echo.unary({}))).toMatchObject({ code: "unavailable", message });
});

test("an environment that switches verification off is not heard", async () => {
  const rig = await startRig();
  const other = await makeAuthority("other");
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    const channel = rig.open({ tls: { ca: other.pem, key: rig.clientLeaf.key, cert: rig.clientLeaf.cert } });
    expect(await failure(client(EchoService, channel).unary({}))).toMatchObject({ code: "unavailable" });
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

test("the server's name may differ from its address, and an address may be the name", async () => {
  const rig = await startRig();
  const { key, cert } = rig.clientLeaf;
  const tls = { ca: rig.root.pem, key, cert };
  const address = `127.0.0.1:${rig.port}`;
  await client(EchoService, rig.open({ address, tls: { ...tls, serverName: "localhost" } })).unary({});
  await client(EchoService, rig.open({ address, tls })).unary({});
  const elsewhere = rig.open({ address, tls: { ...tls, serverName: "127.0.0.2" } });
  expect(String(await failure(client(EchoService, elsewhere).unary({})))).toContain("for another name");
});

test("a lost server is found again, after the configured pause", async () => {
  const first = await startBare();
  const channel = first.open({ reconnectMs: { first: 100, longest: 100 } });
  const echo = client(EchoService, channel);
  await echo.unary({});
  await first.server.stop(200);
  expect(await failure(echo.unary({}))).toMatchObject({ code: "unavailable" });
  const second = new RpcServer<string>({ authorize: async () => "", onError: () => undefined });
  second.add(EchoService, ECHO);
  const certificate = { key: first.serverLeaf.key, chain: first.serverLeaf.cert };
  await second.listen({ host: "127.0.0.1", port: first.port, certificate });
  await expect
    .poll(() => echo.unary({ text: "again" }).catch(() => undefined), { timeout: 10_000 })
    .toMatchObject({ text: "again" });
  await first.stop();
  await second.stop(200);
});

test("a closed channel says so", async () => {
  const rig = await startRig();
  rig.channel.close();
  expect(await failure(rig.echo.unary({}))).toMatchObject({
    code: "unavailable",
    message: `the channel to localhost:${rig.port} is closed`,
  });
});

test("metadata that cannot be sent is the caller's mistake", async () => {
  const rig = await startRig();
  const error = await failure(rig.echo.unary({}, { metadata: { "x-text": "line\nfeed" } }));
  expect(error).toMatchObject({ code: "invalid" });
});
