import { readFile } from "node:fs/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { Role } from "../../proto/gen/hps/v1/access_pb.ts";
import { CertificateState } from "../../proto/gen/hps/v1/identity_pb.ts";
import { parseInvitation } from "../../proto/values/invitation.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { OperatorEnrolment } from "../core/identity/enrolment.ts";
import { signIntermediateRequest } from "../core/identity/sign-intermediate.ts";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { TEST_PASSPHRASE } from "../core/testing/test-identity.ts";
import { addTestInstallation, addTestOperator } from "../core/testing/test-rows.ts";
import { selectAudit } from "../store/audit.ts";
import { type Connected, type IdentityRig, startIdentityRig } from "./testing/identity-rig.ts";

const shows = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const GLOBAL_ADMIN = [{ cluster: "*", role: Role.ADMIN }];

async function refusals({ identity }: IdentityRig) {
  return await identity.store.read((db) =>
    selectAudit(db, { clusters: "all", outcome: "refused", after: 0, limit: 100 }),
  );
}

/** An open stream that was answered once; `ended` gives what ends it. */
async function watching({ health }: Connected) {
  const stream = health.watch({})[Symbol.asyncIterator]();
  await stream.next();
  const ended = stream.next().then(
    () => "answered",
    (error: unknown) => error,
  );
  return { ended };
}

test("an operator is invited, logs in once, and is who it is", async () => {
  await using rig = await startIdentityRig();
  await addTestCluster(rig.identity.store, "lab");
  const roles = [{ cluster: "lab", role: Role.OPERATOR }];
  const invited = await rig.root.identity.inviteOperator({ name: "alice", roles, validity: durationFromMs(3_600_000) });
  expect(invited.operator).toMatchObject({ name: "alice", roles });
  const { token } = parseInvitation(invited.token);
  const keys = makeKey();
  const enrolment = new OperatorEnrolment(rig.identity);
  const chainPem = await enrolment.byInvitation({ token, publicKey: keys.publicKey, address: "192.0.2.1" });
  const alice = rig.connect({ key: privateKeyPem(keys.privateKey), cert: chainPem });
  const me = await alice.identity.whoAmI({});
  expect(me).toMatchObject({ identity: "spiffe://test.example/operator/alice", roles, serverVersion: "0.1.0" });
  await expect(alice.identity.listOperators({})).rejects.toEqual(shows("denied", /needs role admin in all clusters/));
});

test("invitations: new operators need roles, known ones must not bring any, times are bounded", async () => {
  await using rig = await startIdentityRig();
  const { identity } = rig.root;
  const validity = durationFromMs(3_600_000);
  const invite = (request: Parameters<typeof identity.inviteOperator>[0]) => identity.inviteOperator(request);
  await expect(invite({ name: "bob", validity })).rejects.toEqual(shows("invalid", /needs a role/));
  await expect(invite({ name: "Bob", roles: GLOBAL_ADMIN })).rejects.toEqual(shows("invalid", /name of an operator/));
  await expect(invite({ name: "bob", roles: [{ cluster: "nowhere", role: Role.VIEWER }] })).rejects.toEqual(
    shows("not-found", /no cluster/),
  );
  await expect(invite({ name: "bob", roles: [{ cluster: "*", role: 0 }] })).rejects.toEqual(shows("invalid", /role/));
  await expect(invite({ name: "bob", roles: [...GLOBAL_ADMIN, ...GLOBAL_ADMIN] })).rejects.toEqual(
    shows("invalid", /two roles/),
  );
  for (const ms of [0, -1, 59_999, 7 * 86_400_000 + 1]) {
    const wrong = invite({ name: "bob", roles: GLOBAL_ADMIN, validity: durationFromMs(ms) });
    await expect(wrong).rejects.toEqual(shows("invalid", /1 minute to 7 days/));
  }
  await invite({ name: "bob", roles: GLOBAL_ADMIN });
  await expect(invite({ name: "bob", roles: GLOBAL_ADMIN })).rejects.toEqual(shows("exists", /operator bob exists/));
  for (let count = 1; count < 10; count += 1) await invite({ name: "bob" });
  await expect(invite({ name: "bob" })).rejects.toEqual(shows("exhausted", /10 open invitations/));
  expect(await refusals(rig)).toEqual([]);
});

test("one invitation, many keys at once: one certificate; the same key gets the same again", async () => {
  await using rig = await startIdentityRig();
  const { token } = await rig.root.identity.inviteOperator({ name: "alice", roles: GLOBAL_ADMIN });
  const enrolment = new OperatorEnrolment(rig.identity);
  const keys = Array.from({ length: 6 }, () => makeKey());
  const ask = ({ publicKey }: (typeof keys)[number]) =>
    enrolment.byInvitation({ token: parseInvitation(token).token, publicKey, address: "192.0.2.1" });
  const given = await Promise.allSettled([...keys, ...keys].map(ask));
  const chains = new Set(given.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])));
  expect(chains.size).toBe(1);
  expect(given.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  expect(await refusals(rig)).toHaveLength(10);
  const identity = "spiffe://test.example/operator/alice";
  const { certificates } = await rig.root.identity.listCertificates({ identity });
  expect(certificates).toHaveLength(1);
  const used = await rig.root.identity.revokeCertificate({ serial: certificates[0]?.serial ?? "", reason: "lost" });
  expect(used).toMatchObject({ state: CertificateState.REVOKED, revokeReason: "lost" });
  const again = await Promise.allSettled(keys.map(ask));
  expect(again.every(({ status }) => status === "rejected")).toBe(true);
});

test("a token is stored in no table", async () => {
  await using rig = await startIdentityRig();
  const { token } = await rig.root.identity.inviteOperator({ name: "alice", roles: GLOBAL_ADMIN });
  const secret = parseInvitation(token).token;
  await rig.identity.store.checkpoint();
  const enrolment = new OperatorEnrolment(rig.identity);
  const { publicKey } = makeKey();
  await enrolment.byInvitation({ token: secret, publicKey, address: "192.0.2.1" });
  const copy = `${rig.identity.folder}/copy.db`;
  await rig.identity.store.backup(copy);
  const bytes = await readFile(copy);
  expect(bytes.includes("operator")).toBe(true);
  expect(bytes.includes(secret)).toBe(false);
});

test("the last global admin who can log in stays, whoever tries at once", async () => {
  await using rig = await startIdentityRig();
  const { root, identity } = rig;
  const last = shows("precondition", /last admin of all clusters/);
  await expect(root.identity.deleteOperator({ name: "root" })).rejects.toEqual(last);
  await expect(root.identity.setOperatorRoles({ name: "root", roles: [] })).rejects.toEqual(last);
  await addTestOperator(identity.store, "paper", { "*": "admin" });
  await expect(root.identity.deleteOperator({ name: "root" })).rejects.toEqual(last);
  await addTestOperator(identity.store, "second", { "*": "admin" });
  const second = await rig.as({ kind: "operator", subject: "second" });
  const tries = await Promise.allSettled([
    root.identity.deleteOperator({ name: "second" }),
    second.identity.setOperatorRoles({ name: "root", roles: [{ cluster: "*", role: Role.VIEWER }] }),
  ]);
  expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("an admin is recovered: made, or given back what it lost", async () => {
  await using rig = await startIdentityRig();
  const { operators } = rig;
  const who = { actor: "hpsd", action: "recover-admin", address: "" };
  const made = await operators.recoverAdmin(who, parseObjectName("eve"), 60_000);
  expect(made.operator.roles).toEqual([{ cluster: "*", role: "admin" }]);
  await addTestCluster(rig.identity.store, "lab");
  await operators.setRoles(who, "eve", [
    { cluster: "lab", role: "viewer" },
    { cluster: "*", role: "viewer" },
  ]);
  const again = await operators.recoverAdmin(who, parseObjectName("eve"), 60_000);
  expect(again.operator.roles).toEqual([
    { cluster: "*", role: "admin" },
    { cluster: "lab", role: "viewer" },
  ]);
  expect(parseInvitation(again.token).token).not.toBe(parseInvitation(made.token).token);
});

test("operators and certificates come in pages", async () => {
  await using rig = await startIdentityRig();
  const { identity } = rig.root;
  for (const name of ["a", "b", "c"]) await addTestOperator(rig.identity.store, name, {});
  const names: string[] = [];
  const serials: string[] = [];
  for (let pageToken = "", more = true; more; more = pageToken !== "") {
    const page = await identity.listOperators({ pageSize: 2, pageToken });
    names.push(...page.operators.map(({ name }) => name));
    pageToken = page.nextPageToken;
  }
  expect(names).toEqual(["a", "b", "c", "root"]);
  for (let count = 0; count < 3; count += 1) await rig.as({ kind: "operator", subject: "a" });
  for (let pageToken = "", more = true; more; more = pageToken !== "") {
    const page = await identity.listCertificates({ pageSize: 2, pageToken });
    serials.push(...page.certificates.map(({ serial }) => serial));
    pageToken = page.nextPageToken;
  }
  expect(new Set(serials).size).toBe(5);
  expect(serials).toHaveLength(5);
});

test("who may not is refused, with one audit event and its incident; health is for anyone", async () => {
  await using rig = await startIdentityRig();
  const nobody = rig.connect();
  expect(await nobody.health.check({})).toMatchObject({ status: 1 });
  expect(await refusals(rig)).toEqual([]);
  const store = rig.identity.store;
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId);
  const installationId = await addTestInstallation(store, hostId, clusterId);
  await addTestOperator(store, "viewer", { [clusterId]: "admin" });
  const host = await rig.as({ kind: "host", subject: hostId, hostId });
  const installer = await rig.as({ kind: "installer", subject: installationId, hostId });
  const viewer = await rig.as({ kind: "operator", subject: "viewer" });
  const revoked = await rig.as({ kind: "operator", subject: "viewer" });
  await store.write((tx) =>
    rig.identity.certificates.revoke(tx, { serial: revoked.peer?.signed.serial ?? "" }, "lost"),
  );
  const cases: readonly (readonly [Connected, string, string])[] = [
    [nobody, "unauthenticated", "no-certificate"],
    [host, "denied", "kind"],
    [installer, "denied", "kind"],
    [viewer, "denied", "role"],
    [revoked, "unauthenticated", "revoked"],
  ];
  for (const [index, [who, code, reason]] of cases.entries()) {
    const refused: unknown = await who.identity.listOperators({}).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, details: { reason, incident: expect.any(String) } });
    const events = await refusals(rig);
    expect(events).toHaveLength(index + 1);
    expect(refused).toMatchObject({ details: { incident: events.at(-1)?.incident } });
    expect(events.at(-1)).toMatchObject({ action: "hps.v1.IdentityService/ListOperators", address: "127.0.0.1" });
  }
  expect((await refusals(rig)).map(({ actor }) => actor)).toEqual([
    "address:127.0.0.1",
    `spiffe://test.example/host/${hostId}`,
    `spiffe://test.example/installer/${installationId}`,
    "spiffe://test.example/operator/viewer",
    "spiffe://test.example/operator/viewer",
  ]);
  expect(rig.incidents).toEqual([]);
});

test("a host whose certificate waits may attach and nothing else", async () => {
  await using rig = await startIdentityRig();
  const hostId = await addTestHost(rig.identity.store, await addTestCluster(rig.identity.store));
  const host = await rig.as({ kind: "host", subject: hostId, hostId, state: "waiting" });
  await expect(host.identity.whoAmI({})).rejects.toEqual(shows("unauthenticated", /attach first/));
  const attached = host.agent.attach(never())[Symbol.asyncIterator]();
  expect(await attached.next()).toMatchObject({ done: false });
  await rig.identity.store.write((tx) => rig.identity.certificates.validateWaiting(tx, hostId));
  expect(await host.identity.whoAmI({})).toMatchObject({ identity: `spiffe://test.example/host/${hostId}` });
  await attached.return?.();
});

test("revocation ends the next call and the open stream, on a connection that stays open", async () => {
  await using rig = await startIdentityRig();
  await addTestOperator(rig.identity.store, "alice", { "*": "viewer" });
  const alice = await rig.as({ kind: "operator", subject: "alice" });
  const other = await rig.as({ kind: "operator", subject: "alice" });
  const [open, bystander] = [await watching(alice), await watching(other)];
  await rig.root.identity.revokeCertificate({ serial: alice.peer?.signed.serial ?? "", reason: "stolen" });
  await expect(alice.identity.whoAmI({})).rejects.toEqual(shows("unauthenticated", /revoked: stolen/));
  expect(await open.ended).toEqual(shows("unauthenticated", /revoked: stolen/));
  expect(await other.identity.whoAmI({})).toMatchObject({ roles: [{ cluster: "*", role: Role.VIEWER }] });
  await rig.root.identity.deleteOperator({ name: "alice" });
  expect(await bystander.ended).toEqual(shows("unauthenticated", /deleted|no more/));
  await expect(other.identity.whoAmI({})).rejects.toEqual(shows("unauthenticated", /revoked/));
});

test("what was opened with a certificate outlives its renewal, and ends with the certificate that took its place", async () => {
  await using rig = await startIdentityRig();
  await addTestOperator(rig.identity.store, "alice", { "*": "viewer" });
  const old = await rig.as({ kind: "operator", subject: "alice" });
  const open = await watching(old);
  const replaces = old.peer?.signed.serial ?? "";
  const renewed = await rig.as({ kind: "operator", subject: "alice", replaces });
  const last = await rig.as({ kind: "operator", subject: "alice", replaces: renewed.peer?.signed.serial ?? "" });
  for (const { identity } of [renewed, last])
    expect(await identity.whoAmI({})).toMatchObject({ serverVersion: "0.1.0" });
  await expect(old.identity.whoAmI({})).rejects.toEqual(shows("unauthenticated", /revoked: replaced by its renewal/));
  expect(await Promise.race([open.ended, rig.root.identity.whoAmI({}).then(() => "open")])).toBe("open");
  await rig.root.identity.revokeCertificate({ serial: last.peer?.signed.serial ?? "", reason: "stolen" });
  expect(await open.ended).toEqual(shows("unauthenticated", /revoked: stolen/));
});

test("what was opened with a replaced certificate ends when that one is revoked", async () => {
  await using rig = await startIdentityRig();
  await addTestOperator(rig.identity.store, "alice", { "*": "viewer" });
  const old = await rig.as({ kind: "operator", subject: "alice" });
  const serial = old.peer?.signed.serial ?? "";
  const renewed = await rig.as({ kind: "operator", subject: "alice", replaces: serial });
  const [before, after] = [await watching(old), await watching(renewed)];
  await rig.root.identity.revokeCertificate({ serial, reason: "stolen" });
  expect(await before.ended).toEqual(shows("unauthenticated", /revoked: stolen/));
  expect(await Promise.race([after.ended, renewed.identity.whoAmI({}).then(() => "open")])).toBe("open");
});

test("a change of roles works on the next call and on open streams", async () => {
  await using rig = await startIdentityRig();
  await addTestOperator(rig.identity.store, "alice", { "*": "viewer" });
  const alice = await rig.as({ kind: "operator", subject: "alice" });
  const before = await watching(alice);
  await rig.root.identity.setOperatorRoles({ name: "alice", roles: GLOBAL_ADMIN });
  const after = await watching(alice);
  expect(await alice.identity.listOperators({})).toMatchObject({ operators: [{ name: "alice" }, { name: "root" }] });
  await rig.root.identity.setOperatorRoles({ name: "alice", roles: [{ cluster: "*", role: Role.VIEWER }] });
  await expect(alice.identity.listOperators({})).rejects.toEqual(shows("denied", /needs role admin/));
  expect(await after.ended).toEqual(shows("aborted", /roles have changed/));
  expect(await Promise.race([before.ended, Promise.resolve("open")])).toBe("open");
  await rig.root.identity.setOperatorRoles({ name: "alice", roles: [] });
  expect(await before.ended).toEqual(shows("aborted", /roles have changed/));
});

test("a certificate that expires during a stream ends it", async () => {
  await using rig = await startIdentityRig();
  await addTestOperator(rig.identity.store, "alice", { "*": "viewer" });
  // The shortest life there is, of which the test waits for the last seconds.
  rig.identity.clock.forward(-58_000);
  const alice = await rig.as({ kind: "operator", subject: "alice", lifetimeMs: 60_000 });
  rig.identity.clock.forward(58_000);
  const open = await watching(alice);
  expect(await open.ended).toEqual(shows("unauthenticated", /expired/));
});

test("intermediate and server certificate rotate under load without an outage", async () => {
  await using rig = await startIdentityRig();
  const { root, identity } = rig;
  await addTestOperator(identity.store, "alice", { "*": "viewer" });
  const alice = await rig.as({ kind: "operator", subject: "alice" });
  const open = await watching(alice);
  const load = { running: true, calls: 0 };
  const fresh = async () => {
    while (load.running) {
      const { channel, identity: who } = rig.connect(alice.peer);
      await who.whoAmI({});
      channel.close();
      load.calls += 1;
    }
  };
  const steady = async () => {
    while (load.running) {
      await alice.identity.whoAmI({});
      load.calls += 1;
    }
  };
  const loads = Promise.all([fresh(), steady()]);
  const rootKeyPem = await readFile(identity.rootKeyFile, "utf8");
  for (let round = 0; round < 3; round += 1) {
    const { certificateRequest: requestPem } = await root.identity.prepareIntermediate({});
    const signing = {
      rootPem: identity.authority.rootPem,
      rootKeyPem,
      passphrase: TEST_PASSPHRASE,
      now: identity.clock(),
    };
    const certificate = await signIntermediateRequest({ ...signing, requestPem });
    const { serverCertificate } = await root.identity.installIntermediate({ certificate });
    expect(serverCertificate).toMatchObject({
      identity: "spiffe://test.example/server/hpsd",
      state: CertificateState.VALID,
    });
    const rotated = await root.identity.rotateServerCertificate({});
    expect(rotated.serial).not.toBe(serverCertificate?.serial);
    const so = load.calls;
    while (load.calls < so + 10) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  load.running = false;
  await loads;
  expect(await Promise.race([open.ended, Promise.resolve("open")])).toBe("open");
  const newcomer = await rig.as({ kind: "operator", subject: "alice" });
  expect(newcomer.peer?.cert.split("-----BEGIN")[2]).not.toBe(alice.peer?.cert.split("-----BEGIN")[2]);
  expect(await newcomer.identity.whoAmI({})).toMatchObject({ roles: [{ role: Role.VIEWER }] });
  await expect(root.identity.revokeCertificate({ serial: "00" })).rejects.toEqual(shows("not-found", /no certificate/));
});

function never(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
}
