import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { readRequest } from "../certs/csr.ts";
import { publicKeyDigest } from "../certs/key.ts";
import { newClaimToken } from "../proto/values/claim-token.ts";
import type { Facts } from "../proto/values/facts.ts";
import { parseObjectName } from "../proto/values/object-name.ts";
import { LIFETIME } from "../server/core/identity/lifetimes.ts";
import { addTestCluster, addTestHost } from "../server/core/testing/open-test-store.ts";
import { openTestIdentity, type TestIdentity } from "../server/core/testing/test-identity.ts";
import { addTestInstallation } from "../server/core/testing/test-rows.ts";
import type { ClaimAnswer, ClaimAsk } from "../server/http/est.ts";
import { openTestDoor, type TestDoor } from "../server/http/testing.ts";
import { selectAudit } from "../server/store/audit.ts";

/** curl and openssl alone: enrol, be told to wait, re-enrol. What they print is what an administrator sees. */

const run = promisify(execFile);
const WHO = { actor: "hpsd", action: "test", address: "" };

const folder = await mkdtemp(join(tmpdir(), "hps-est-"));
afterAll(() => rm(folder, { recursive: true }));
const file = (name: string) => join(folder, name);

async function openssl(...words: string[]): Promise<string> {
  const { stdout } = await run("openssl", words, { timeout: 20_000 });
  return stdout;
}

interface Answer {
  readonly status: string;
  readonly headers: string;
  readonly body: string;
}

async function curl(root: string, ...words: string[]): Promise<Answer> {
  const always = ["--silent", "--show-error", "--include", "--http1.1", "--cacert", root, "--max-time", "20"];
  const { stdout } = await run("curl", [...always, ...words], { timeout: 30_000 });
  const [head = "", ...rest] = stdout.split("\r\n\r\n");
  return { status: head.split(" ")[1] ?? "", headers: head.toLowerCase(), body: rest.join("\r\n\r\n") };
}

/** A key and its request, as the man page has it. */
async function request(name: string): Promise<string> {
  await openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file(`${name}.key`));
  const words = ["-new", "-key", file(`${name}.key`), "-subj", "/CN=ignored", "-outform", "DER"];
  await openssl("req", ...words, "-out", file(`${name}.der`));
  await openssl("base64", "-in", file(`${name}.der`), "-out", file(`${name}.p10`));
  return file(`${name}.p10`);
}

/** The certificates of an EST answer as PEM, read by openssl. */
async function certificates(name: string, body: string): Promise<string> {
  await writeFile(file(`${name}.b64`), body);
  await openssl("base64", "-d", "-in", file(`${name}.b64`), "-out", file(`${name}.p7`));
  await openssl("pkcs7", "-inform", "DER", "-in", file(`${name}.p7`), "-print_certs", "-out", file(`${name}.pem`));
  return file(`${name}.pem`);
}

async function rootOf(identity: TestIdentity): Promise<string> {
  await writeFile(file("root.pem"), identity.authority.rootPem);
  return file("root.pem");
}

const post = (p10: string) => ["--header", "Content-Type: application/pkcs10", "--data-binary", `@${p10}`];
const enrolUrl = (door: TestDoor) => `${door.url}/.well-known/est/simpleenroll`;
const renewUrl = (door: TestDoor) => `${door.url}/.well-known/est/simplereenroll`;

test("an operator enrols by invitation, and re-enrols with its certificate", async () => {
  await using identity = await openTestIdentity();
  await using door = await openTestDoor(identity);
  const root = await rootOf(identity);
  const cacerts = await curl(root, `${door.url}/.well-known/est/cacerts`);
  expect(cacerts.headers).toContain("application/pkcs7-mime");
  const trusted = await readFile(await certificates("ca", cacerts.body), "utf8");
  expect(trusted).toContain(identity.authority.rootPem.trim());
  expect((await curl(root, `${door.url}/.well-known/est/csrattrs`)).status).toBe("204");

  const name = parseObjectName("alice");
  const roles = [{ cluster: "*", role: "admin" }] as const;
  const invited = await door.operators.invite(WHO, { name, roles, validityMs: 60_000 });
  const p10 = await request("alice");
  const user = ["--user", `operator:${invited.token}`];
  const enrolled = await curl(root, ...user, ...post(p10), enrolUrl(door));
  expect(enrolled.status).toBe("200");
  expect(enrolled.headers).not.toContain("www-authenticate");
  const first = await certificates("alice", enrolled.body);
  expect(await openssl("verify", "-CAfile", root, "-untrusted", first, "-purpose", "sslclient", first)).toContain("OK");
  expect(await openssl("x509", "-in", first, "-noout", "-ext", "subjectAltName")).toContain(
    "URI:spiffe://test.example/operator/alice",
  );
  const again = await curl(root, ...user, ...post(p10), enrolUrl(door));
  expect(again.body).toBe(enrolled.body);

  const thief = await curl(root, ...user, ...post(await request("mallory")), enrolUrl(door));
  expect(thief.status).toBe("401");
  expect(thief.headers).toContain("www-authenticate: basic");
  const [, incident = ""] = /incident (\w+)/.exec(thief.body) ?? [];
  const [event] = await identity.store.read((db) => selectAudit(db, { clusters: "all", incident, limit: 1 }));
  expect(event).toMatchObject({ outcome: "refused", reason: "invitation of operator alice was used with another key" });

  const asAlice = ["--key", file("alice.key"), "--cert", first];
  const renewed = await curl(root, ...asAlice, ...post(await request("alice2")), renewUrl(door));
  expect(renewed.status).toBe("200");
  const second = await certificates("alice2", renewed.body);
  expect(await curl(root, ...asAlice, ...post(p10), renewUrl(door))).toMatchObject({ status: "200" });
  const newKey = ["--key", file("alice2.key"), "--cert", second];
  expect(await curl(root, ...newKey, ...post(p10), renewUrl(door))).toMatchObject({ status: "401" });
  expect((await curl(root, ...post(p10), renewUrl(door))).status).toBe("401");
});

test("an agent is told to wait until it is approved, then gets its certificate and renews it", async () => {
  await using identity = await openTestIdentity();
  const clusterId = await addTestCluster(identity.store);
  const hostId = await addTestHost(identity.store, clusterId);
  const subject = await addTestInstallation(identity.store, hostId, clusterId);
  const token = newClaimToken();
  const asked: ClaimAsk[] = [];
  const approved = new Set<string>();
  const enrolByClaim = async (ask: ClaimAsk): Promise<ClaimAnswer> => {
    asked.push(ask);
    const publicKey = readRequest(ask.csr);
    if (!approved.has(publicKeyDigest(publicKey))) return { kind: "pending", retryAfterMs: 2500 };
    const { authority, certificates: register, store } = identity;
    const signed = await authority.sign({ kind: "installer", subject, publicKey, lifetimeMs: LIFETIME.installer });
    await store.write((tx) => register.record(tx, signed, { hostId, clusterId, state: "valid" }));
    return { kind: "issued", chainPem: signed.chainPem };
  };
  await using door = await openTestDoor(identity, { enrolByClaim });
  const root = await rootOf(identity);
  const p10 = await request("agent");
  const facts: Facts = { macs: [], interfaces: [], disks: [] };
  const header = Buffer.from(JSON.stringify({ ...facts, macs: ["52:54:00:00:00:01"] })).toString("base64url");
  const words = ["--user", `claim:${token}`, "--header", `HPS-Facts: ${header}`, ...post(p10), enrolUrl(door)];
  const waiting = await curl(root, ...words);
  expect(waiting).toMatchObject({ status: "202", body: expect.stringContaining("approval") });
  expect(waiting.headers).toContain("retry-after: 3");
  expect(asked).toMatchObject([{ token, address: "127.0.0.1", facts: { macs: ["52:54:00:00:00:01"] } }]);

  approved.add(publicKeyDigest(readRequest(await readFile(p10))));
  const enrolled = await curl(root, ...words);
  expect(enrolled.status).toBe("200");
  const pem = await certificates("agent", enrolled.body);
  const renewed = await curl(root, "--key", file("agent.key"), "--cert", pem, ...post(p10), renewUrl(door));
  expect(renewed.status).toBe("200");
  const sans = await openssl(
    "x509",
    "-in",
    await certificates("agent2", renewed.body),
    "-noout",
    "-ext",
    "subjectAltName",
  );
  expect(sans).toContain(`URI:spiffe://test.example/installer/${subject}`);
});
