import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { issueTestPeer } from "../core/testing/test-identity.ts";
import { addTestOperator } from "../core/testing/test-rows.ts";
import { selectAudit } from "../store/audit.ts";
import { type Answer, Line, openWebDoorRig, START, type WebDoorRig } from "./web-testing.ts";

async function auditOf({ identity }: WebDoorRig) {
  return await identity.store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));
}

const WENDY = "spiffe://test.example/operator/wendy";
const statusOf = (end: Line | Answer) => (end instanceof Line ? 101 : end.status);

test("the page needs nothing, and is told to keep everything to itself", async () => {
  await using rig = await openWebDoorRig();
  const answer = await rig.get("/web/");
  expect(answer).toMatchObject({
    status: 200,
    headers: { "x-frame-options": "DENY", "referrer-policy": "no-referrer" },
  });
  const policy = String(answer.headers["content-security-policy"]);
  expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  expect(policy).toMatch(/frame-ancestors 'none'/);
  expect(policy).not.toMatch(/unsafe|\*|data:|blob:/);
  expect(answer.body).not.toMatch(/<script(?![^>]*src=)|<style|style=|\bon\w+=|https?:/);
  for (const file of ["/web/terminal.js", "/web/terminal.css", "/web/icon.svg"]) {
    expect(await rig.get(file)).toMatchObject({ status: 200, headers: { "x-content-type-options": "nosniff" } });
  }
  for (const file of ["/web/main.ts", "/web/..%2fpeer.ts", "/web/__proto__"]) {
    expect(await rig.get(file)).toMatchObject({ status: 404 });
  }
});

test.each([
  ["no Origin", { origin: "" }, 403],
  ["null, as of a file or a sandbox", { origin: "null" }, 403],
  ["another port", { origin: "https://localhost:1" }, 403],
  ["without its port", { origin: "https://localhost" }, 403],
  ["without TLS", { origin: "http://localhost" }, 403],
  ["a longer name", { origin: "https://localhost.evil.example" }, 403],
  ["another Host", { host: "evil.example:7444" }, 403],
  ["another Host and its origin, as after rebinding", { host: "evil.example", origin: "https://evil.example" }, 403],
  ["no header of the page", { "hps-page": "" }, 403],
  ["the browser's own word", { "sec-fetch-site": "cross-site" }, 403],
  ["another port of this name", { "sec-fetch-site": "same-site" }, 403],
  ["a form's content type", { "content-type": "text/plain" }, 415],
] as const)("no ticket for a page with %s", async (_what, headers, status) => {
  await using rig = await openWebDoorRig();
  expect(await rig.post({ host: "lab/h1" }, headers)).toMatchObject({ status });
  const events = await auditOf(rig);
  if (status === 403) expect(events).toMatchObject([{ action: "web.ticket", actor: WENDY, outcome: "refused" }]);
});

test("a ticket is for operators who may, and of one thing", async () => {
  await using rig = await openWebDoorRig();
  const { identity, hostId, clusterId } = rig;
  await addTestOperator(identity.store, "vic", { "*": "viewer" });
  await addTestOperator(identity.store, "far", { elsewhere: "admin" });
  const peer = async (subject: string) => await issueTestPeer(identity, { kind: "operator", subject });
  const host = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId, clusterId });
  expect(await rig.post({ host: "lab/h1" }, {}, null)).toMatchObject({ status: 401 });
  expect(await rig.post({ host: "lab/h1" }, {}, host)).toMatchObject({ status: 403 });
  // Whether a viewer has a grant is the session's to ask.
  expect(await rig.post({ host: "lab/h1" }, {}, await peer("vic"))).toMatchObject({ status: 200 });
  expect(await rig.post({ host: "lab/h1" }, {}, await peer("far"))).toMatchObject({ status: 404 });
  expect(await rig.post({ host: "lab/h2" })).toMatchObject({ status: 404 });
  for (const body of ["", "{", "[]", "null", "7", '{"host":7}', { host: "a", link: "b" }, { host: "x".repeat(2000) }]) {
    expect(await rig.post(body)).toMatchObject({ status: 400 });
  }
  expect((await rig.post("x".repeat(70_000))).status).toBe(413);
});

test.each([
  ["no Origin", { origin: null }],
  ["another origin", { origin: "https://127.0.0.1:7444" }],
  ["two origins in one", { origin: "https://localhost https://evil.example" }],
  ["another Host", { host: "evil.example" }],
  ["another Host and its origin", { host: "evil.example", origin: "https://evil.example" }],
  ["no ticket", { protocols: ["hps.terminal.v1"] }],
  ["a guess", { protocols: ["hps.terminal.v1", `hps.ticket.${"A".repeat(43)}`] }],
  ["no certificate", { peer: null }],
] as const)("no upgrade with %s", async (_what, how) => {
  await using rig = await openWebDoorRig();
  expect(statusOf(await rig.knock(await rig.ticket(), how))).toBe(403);
  expect(await auditOf(rig)).toMatchObject([{ action: "web.upgrade", outcome: "refused" }]);
  expect(rig.sessions).toEqual([]);
});

test("another's certificate does not use a ticket, and uses it up", async () => {
  await using rig = await openWebDoorRig();
  await addTestOperator(rig.identity.store, "mallory", { "*": "operator" });
  const mallory = await issueTestPeer(rig.identity, { kind: "operator", subject: "mallory" });
  const ticket = await rig.ticket();
  expect(statusOf(await rig.knock(ticket, { peer: mallory }))).toBe(403);
  expect(statusOf(await rig.knock(ticket))).toBe(403);
});

test("a ticket of a certificate that is revoked since opens nothing", async () => {
  await using rig = await openWebDoorRig();
  const { identity, wendy } = rig;
  const ticket = await rig.ticket();
  await identity.store.write((tx) => identity.certificates.revoke(tx, { serial: wendy.signed.serial }, "stolen"));
  const refused = await rig.knock(ticket);
  expect([401, 403]).toContain(statusOf(refused));
});

test("who floods tickets is told to wait", async () => {
  await using rig = await openWebDoorRig();
  const answers: number[] = [];
  for (let count = 0; count < 33; count += 1) answers.push((await rig.post({ host: "lab/h1" })).status);
  expect(answers.filter((status) => status === 200)).toHaveLength(32);
  expect(answers.at(-1)).toBe(429);
});

test("so many terminals of one operator; one that ends makes room", async () => {
  await using rig = await openWebDoorRig();
  const lines: Line[] = [];
  for (let count = 0; count < 16; count += 1) lines.push((await rig.open()).line);
  expect(statusOf(await rig.knock(await rig.ticket()))).toBe(429);
  lines[0]?.socket.close();
  await expect.poll(() => rig.web.count).toBe(15);
  expect(statusOf(await rig.knock(await rig.ticket()))).toBe(101);
});

test("other addresses speak no WebSocket", async () => {
  await using rig = await openWebDoorRig();
  for (const path of ["/", "/web/", "/web/socket?x", "/healthz", "/web/socket/"]) {
    expect(statusOf(await rig.knock(await rig.ticket(), { path })), path).toBe(404);
  }
});

test("a link needs no certificate, works once, and is its maker's in the audit log", async () => {
  await using rig = await openWebDoorRig();
  const { identity, links, hostId, clusterId, wendy } = rig;
  const principal = await identity.principals.resolve(wendy.chain);
  const issuer = { principal, action: "make", address: "192.0.2.7", needs: "operator" } as const;
  const wish = { hostId, clusterId, write: true, session: "", reason: "look", validityMs: 60_000 };
  const { secret } = await links.create(issuer, wish);
  const ticket = await rig.ticket({ link: secret }, null);
  const line = await rig.knock(ticket, { peer: null });
  if (!(line instanceof Line)) throw new Error(line.body);
  line.say(START);
  await expect
    .poll(() => rig.sessions.at(-1)?.caller)
    .toMatchObject({ action: "web.open", principal: { name: "wendy" } });
  expect(await rig.post({ link: secret }, {}, null)).toMatchObject({
    status: 401,
    body: expect.stringMatching(/was used/),
  });
  expect(await rig.post({ link: "A".repeat(43) }, {}, null)).toMatchObject({ status: 401 });
  const late = await links.create(issuer, wish);
  identity.clock.forward(61_000);
  expect(await rig.post({ link: late.secret }, {}, null)).toMatchObject({ status: 401 });
  const readOnly = await links.create(issuer, { ...wish, write: false });
  expect(await rig.post({ link: readOnly.secret }, {}, null)).toMatchObject({ status: 412 });
  expect((await auditOf(rig)).map(({ actor, action, outcome }) => [actor, action, outcome])).toEqual([
    [WENDY, "make", "allowed"],
    ["address:127.0.0.1", "web.link", "refused"],
    ["address:127.0.0.1", "web.link", "refused"],
    [WENDY, "make", "allowed"],
    ["address:127.0.0.1", "web.link", "refused"],
    [WENDY, "make", "allowed"],
  ]);
});

test("a link dies with its maker's right: before its use, between ticket and upgrade, and while it is open", async () => {
  await using rig = await openWebDoorRig();
  const { identity, links, hostId, clusterId, wendy } = rig;
  const principal = await identity.principals.resolve(wendy.chain);
  const issuer = { principal, action: "make", address: "", needs: "operator" } as const;
  const wish = { hostId, clusterId, write: true, session: "", reason: "", validityMs: 60_000 };
  const secrets: string[] = [];
  for (let count = 0; count < 3; count += 1) secrets.push((await links.create(issuer, wish)).secret);
  const [first, second, third] = secrets;
  const line = await rig.knock(await rig.ticket({ link: first }, null), { peer: null });
  if (!(line instanceof Line)) throw new Error(line.body);
  line.say(START);
  await expect.poll(() => line.messages.length).toBe(2);
  const ticket = await rig.ticket({ link: second }, null);
  await identity.store.write((tx) => identity.certificates.revoke(tx, { operator: "wendy" }, "left"));
  expect(await line.closed).toBe(1000);
  expect(line.last).toMatchObject({ type: "error", code: "unauthenticated", message: expect.stringContaining("left") });
  expect(rig.sessions.at(-1)?.events[0]).toMatch(/^refused: .*left/);
  expect(statusOf(await rig.knock(ticket, { peer: null }))).toBe(403);
  expect(await rig.post({ link: third }, {}, null)).toMatchObject({ status: 401 });
});

test("a door that closes tells its pages, and waits for none", async () => {
  const rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  await rig[Symbol.asyncDispose]();
  expect(line.last).toMatchObject({ type: "error", code: "unavailable", message: "hpsd is stopping" });
  // Not refused: what the session is held for is not this hpsd's to say.
  expect(session.events[0]).toBe("left: hpsd is stopping");
});

test("what cannot be opened is said", async () => {
  await using rig = await openWebDoorRig();
  Object.assign(rig.sessions, {
    push: () => {
      throw new HpsError("unavailable", "no agent is there", { hint: "wait" });
    },
  });
  const line = await rig.knock(await rig.ticket());
  if (!(line instanceof Line)) throw new Error(line.body);
  line.say(START);
  await line.closed;
  expect(line.messages).toEqual([{ type: "error", code: "unavailable", message: "no agent is there", hint: "wait" }]);
});
