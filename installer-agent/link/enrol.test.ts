import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { approvalFingerprint } from "../../certs/fingerprint.ts";
import { makeChain } from "../../certs/test-chain.ts";
import { newClaimToken } from "../../proto/values/claim-token.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseFactsHeader } from "../../proto/values/facts.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { FACTS, startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { enrol } from "./enrol.ts";
import { openStateFolder } from "./state-folder.ts";

let hpsd: TestHpsd;
beforeEach(async () => {
  hpsd = await startTestHpsd();
});
afterEach(() => hpsd.stop());

const never = new AbortController().signal;

async function enrolNow(changes: Partial<TestHpsd["claim"]> = {}, signal = never) {
  const { claim, agent } = hpsd;
  const folder = await openStateFolder(agent.config.state);
  return enrol(
    { claim: { ...claim, ...changes }, facts: FACTS, folder, backoff: agent.config.backoff, log: agent.log },
    signal,
  );
}

/** Everything an agent could have betrayed the token in. */
async function traces(): Promise<string> {
  const { state } = hpsd.agent.config;
  const files = await Promise.all((await readdir(state)).map((name) => readFile(join(state, name), "utf8")));
  return [...files, ...hpsd.agent.lines].join("\n");
}

test("the claim becomes a certificate for a key made here", async () => {
  const identity = await enrolNow();
  expect(identity.peer).toEqual({ kind: "installer", id: hpsd.claim.installation });
  const [ask] = hpsd.est.asks;
  expect(ask?.path).toBe("/.well-known/est/simpleenroll");
  const [user, token] = Buffer.from(ask?.headers.authorization?.split(" ")[1] ?? "", "base64")
    .toString()
    .split(":");
  expect([user, token]).toEqual(["claim", hpsd.claim.token]);
  expect(parseFactsHeader(String(ask?.headers["hps-facts"]))).toEqual(FACTS);
  const { state } = hpsd.agent.config;
  expect((await stat(state)).mode & 0o777).toBe(0o700);
  expect((await stat(join(state, "agent.key"))).mode & 0o777).toBe(0o600);
  expect(await traces()).not.toContain(hpsd.claim.token);
});

test("it waits as told, showing the fingerprint each time, with one key", async () => {
  hpsd.est.answer = (_ask, before) => (before < 2 ? { status: 202, headers: { "retry-after": "0" } } : undefined);
  const identity = await enrolNow();
  const fingerprint = approvalFingerprint(identity.credentials.certificate.publicKey);
  expect(hpsd.agent.lines.filter((line) => line.includes(fingerprint))).toHaveLength(2);
  expect(new Set(hpsd.est.asks.map(({ key }) => key)).size).toBe(1);
});

test("what passes is tried again with the same key: a lost reply, a busy server, no server", async () => {
  hpsd.est.answer = (_ask, before) =>
    [{ status: 0, cut: true }, { status: 503 }, { status: 429, body: "slow down" }][before];
  await enrolNow();
  expect(hpsd.est.asks).toHaveLength(4);
  expect(new Set(hpsd.est.asks.map(({ key }) => key)).size).toBe(1);
  expect(hpsd.agent.lines.join("")).toContain("the connection was lost");
  expect(hpsd.agent.lines.join("")).toContain("hpsd refused (429): slow down");
});

test("a refusal is final, in hpsd's words", async () => {
  const body = JSON.stringify({ message: "the claim is spent", hint: "boot it again" });
  hpsd.est.answer = () => ({ status: 403, body });
  await expect(enrolNow()).rejects.toMatchObject({
    code: "denied",
    message: "hpsd refused (403): the claim is spent",
    hint: "boot it again",
  });
  hpsd.est.answer = () => ({ status: 401, body: "who are you?\nmore" });
  await expect(enrolNow()).rejects.toMatchObject({
    code: "unauthenticated",
    message: "hpsd refused (401): who are you?",
  });
  expect(hpsd.est.asks).toHaveLength(2);
});

test("an answer that is too long, no certificate, or another's is refused", async () => {
  hpsd.est.answer = () => ({ status: 200, body: "A".repeat(300_000) });
  await expect(enrolNow()).rejects.toThrow("longer than 262144 bytes");
  hpsd.est.answer = () => ({ status: 200, body: "MIIB" });
  await expect(enrolNow()).rejects.toMatchObject({ code: "invalid" });
  hpsd.est.answer = () => undefined;
  const other = parseUuid("01900000-0000-7000-8000-0000000000ff");
  await expect(enrolNow({ installation: other })).rejects.toThrow(
    `hpsd issued a certificate of installer ${hpsd.claim.installation} to installer ${other}`,
  );
});

test("nothing is sent to a server that the claim's root did not vouch for", async () => {
  const foreign = await makeChain();
  const stop = new AbortController();
  const running = enrolNow({ rootCertificate: foreign.root.certificate.toString() }, stop.signal);
  while (!hpsd.agent.lines.some((line) => line.includes("not signed by the claim's root"))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort(new Error("enough"));
  await expect(running).rejects.toThrow();
  expect(hpsd.est.asks).toHaveLength(0);
});

test("nor to one of another trust domain, or of another name", async () => {
  const stop = new AbortController();
  const { https } = hpsd.claim;
  const first = enrolNow({ trustDomain: parseDomainName("example.net") }, stop.signal).catch(() => undefined);
  const named = enrolNow({ https: parseHttpsUrl(https.replace("localhost", "127.0.0.2")) }, stop.signal).catch(
    () => undefined,
  );
  while (hpsd.agent.lines.filter((line) => line.includes("cannot enrol yet")).length < 4) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort(new Error("enough"));
  await Promise.all([first, named]);
  expect(hpsd.est.asks).toHaveLength(0);
});

test("an agent that starts again uses what it has; a new claim begins anew", async () => {
  const first = await enrolNow();
  const again = await enrolNow();
  expect(again.credentials.certificate.serialNumber).toBe(first.credentials.certificate.serialNumber);
  expect(hpsd.est.asks).toHaveLength(1);
  await enrolNow({ token: newClaimToken() });
  expect(hpsd.est.asks).toHaveLength(2);
  expect(hpsd.est.asks[1]?.key).not.toBe(hpsd.est.asks[0]?.key);
});

test("an agent that died while it waited asks again with its key", async () => {
  const stop = new AbortController();
  hpsd.est.answer = () => ({ status: 202, headers: { "retry-after": "60" } });
  const waiting = enrolNow({}, stop.signal);
  while (!hpsd.agent.lines.some((line) => line.includes("waiting for approval"))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort(new Error("killed"));
  await expect(waiting).rejects.toThrow();
  hpsd.est.answer = () => undefined;
  await enrolNow();
  expect(new Set(hpsd.est.asks.map(({ key }) => key)).size).toBe(1);
});
