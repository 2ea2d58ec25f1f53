import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readCertificatesFile, writeCertificatesFile } from "../../certs/files.ts";
import { DAY, makeChain, makePeer, PEERS } from "../../certs/test-chain.ts";
import { readClientConfig, writeClientConfig } from "../../proto/config/client-config.ts";
import { parseClaimToken } from "../../proto/values/claim-token.ts";
import { digestOf } from "../../proto/values/digest.ts";
import { formatInvitation } from "../../proto/values/invitation.ts";
import { type EstServer, startEstServer } from "../testing/est-server.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, type TestServer, testHost } from "../testing/test-server.ts";

const start = useServers();
const doors: EstServer[] = [];
afterEach(() => {
  for (const door of doors.splice(0)) door.stop();
});

const SECRET = randomBytes(32).toString("base64url");

async function startBoth(identity: (typeof PEERS)[keyof typeof PEERS] = PEERS.operator) {
  const server = await start({ hosts: hostReaders([testHost(1)]) });
  const door = await startEstServer(server.chain, SECRET, identity);
  doors.push(door);
  return { server, door, token: tokenFor(server.chain.root.certificate.raw) };
}

function tokenFor(root: Buffer, secret = SECRET): string {
  return formatInvitation({ token: parseClaimToken(secret), rootDigest: digestOf(root) });
}

function login({ server, door, token }: { server: TestServer; door: EstServer; token: string }, more = "") {
  return hpsctl(server, `login ${door.url} --token ${token} --server localhost:${server.port} --name new${more}`);
}

test("an invitation becomes a key, a certificate and a context, which then work", async () => {
  const both = await startBoth();
  const { code, out, err } = await login(both);
  expect({ code, out }).toEqual({ code: 0, out: "" });
  expect(err).toContain("logged in as operator alice");
  const { contexts, currentContext } = await readClientConfig(both.server.environment.HPSCONFIG ?? "");
  const context = contexts.find(({ name }) => name === "new");
  expect(currentContext).toBe("new");
  expect((await stat(context?.key ?? "")).mode & 0o777).toBe(0o600);
  expect(context?.https).toBe(both.door.url);
  expect((await hpsctl(both.server, "host ls --cluster lab -o name")).out).toBe("lab/web0001\n");
});

test("an operator of one cluster need not name it", async () => {
  const server = await start({
    hosts: hostReaders([testHost(1)]),
    clusters: { listClusters: async () => ({ clusters: [{ name: "lab" }] }) },
  });
  const door = await startEstServer(server.chain, SECRET, PEERS.operator);
  doors.push(door);
  const { err } = await login({ server, door, token: tokenFor(server.chain.root.certificate.raw) });
  expect(err).toContain("cluster lab");
  expect((await hpsctl(server, "host get web0001 -o name")).out).toBe("lab/web0001\n");
});

test("a second login takes the place of the first, and leaves no key of it", async () => {
  const both = await startBoth();
  expect((await login(both)).code).toBe(0);
  const first = await readdir(join(both.server.folder, "new"));
  expect((await login(both)).code).toBe(0);
  const second = await readdir(join(both.server.folder, "new"));
  expect(second).toHaveLength(3);
  expect(second.filter((file) => first.includes(file))).toEqual([]);
});

test("the token can come from standard input", async () => {
  const both = await startBoth();
  const words = `login ${both.door.url} --token - --server localhost:${both.server.port} --name new`;
  expect((await hpsctl(both.server, words, { input: `${both.token}\n` })).code).toBe(0);
});

test("another root than the pinned one is refused before the secret is sent", async () => {
  const both = await startBoth();
  const other = await makeChain();
  const { code, err } = await login({ ...both, token: tokenFor(other.root.certificate.raw) });
  expect(code).toBe(5);
  expect(err).toContain("is not the server this invitation is for");
  expect(both.door.asked).toEqual(["GET /.well-known/est/cacerts - -"]);
});

test("a server that shows the pinned root without being its own never sees the secret", async () => {
  const both = await startBoth();
  const impostor = await makeChain();
  const root = both.server.chain.root;
  const door = await startEstServer({ ...impostor, root }, SECRET);
  doors.push(door);
  const { code, err } = await login({ ...both, door });
  expect(code).toBe(8);
  expect(err).toContain("its certificate is not signed by the root we trust");
  expect(door.asked).toEqual(["GET /.well-known/est/cacerts - -"]);
});

test("a spent invitation says the server's own sentence and leaves nothing behind", async () => {
  const both = await startBoth();
  const spent = tokenFor(both.server.chain.root.certificate.raw, randomBytes(32).toString("base64url"));
  const before = await readFile(both.server.environment.HPSCONFIG ?? "", "utf8");
  const { code, err } = await login({ ...both, token: spent });
  expect(code).toBe(5);
  expect(err).toContain("this invitation is spent");
  expect(err).toContain("hint: ask again");
  expect(await readFile(both.server.environment.HPSCONFIG ?? "", "utf8")).toBe(before);
  expect(await readdir(both.server.folder)).not.toContain("new");
});

test("a certificate that is not an operator's is refused", async () => {
  const { code, err } = await login(await startBoth(PEERS.host));
  expect(code).toBe(13);
  expect(err).toContain("the server issued a certificate of a host");
});

test.each(["", "hps1", "hps2.a.b", "hps1.short.00", `hps1.${SECRET}.zz`])("no invitation: %j", async (token) => {
  const both = await startBoth();
  const { code, err } = await hpsctl(both.server, ["login", both.door.url, "--token", token]);
  expect(code).toBe(2);
  if (token.includes(SECRET)) expect(err).not.toContain(SECRET);
  expect(both.door.asked).toEqual([]);
});

/** A context whose certificate is this much of its day old. */
async function aged(both: Awaited<ReturnType<typeof startBoth>>, share: number) {
  const { server, door } = both;
  const certificatePath = join(server.folder, "cert.pem");
  const now = Date.now() - DAY * share;
  const old = await makePeer({ ...server.chain, now }, PEERS.operator);
  const { privateKeyPem } = await import("../../certs/key.ts");
  const { writePrivateKeyFile } = await import("../../certs/files.ts");
  await writePrivateKeyFile(join(server.folder, "key.pem"), privateKeyPem(old.privateKey));
  await writeCertificatesFile(certificatePath, [old.certificate, server.chain.intermediate.certificate]);
  const path = server.environment.HPSCONFIG ?? "";
  const config = await readClientConfig(path);
  const { parseHttpsUrl } = await import("../../proto/values/https-url.ts");
  const contexts = config.contexts.map((context) => ({ ...context, https: parseHttpsUrl(door.url) }));
  await writeClientConfig(path, { ...config, contexts });
  return {
    serial: async () => (await readCertificatesFile(certificatePath))[0]?.serialNumber,
    old: old.certificate.serialNumber,
  };
}

test("past two thirds of its life a certificate is renewed, before that it is not", async () => {
  const both = await startBoth();
  const young = await aged(both, 0.5);
  expect((await hpsctl(both.server, "host ls")).code).toBe(0);
  expect(await young.serial()).toBe(young.old);
  expect(both.door.asked).toEqual([]);
  const due = await aged(both, 0.7);
  expect((await hpsctl(both.server, "host ls")).err).toBe("");
  expect(await due.serial()).not.toBe(due.old);
  expect(both.door.asked).toEqual(["POST /.well-known/est/simplereenroll - certificate"]);
});

test("a renewal that fails is a warning: the command goes on with the old certificate", async () => {
  const both = await startBoth();
  const due = await aged(both, 0.7);
  both.door.stop();
  const { code, err } = await hpsctl(both.server, "host ls");
  expect(code).toBe(0);
  expect(err).toContain("warning: your certificate could not be renewed: cannot reach");
  expect(await due.serial()).toBe(due.old);
});

test("an expired certificate says so, and what to do", async () => {
  const both = await startBoth();
  await aged(both, 1.5);
  const { code, err } = await hpsctl(both.server, "host ls");
  expect(code).toBe(5);
  expect(err).toMatch(/error: your certificate expired at .*\nhint: ask an admin for `hpsctl operator invite`/);
});
