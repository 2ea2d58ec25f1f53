import { expect, test } from "vitest";
import { newUuid } from "../../../proto/values/uuid.ts";
import { selectCertificate } from "../../store/certificates.ts";
import { replaceBindings } from "../../store/operators.ts";
import { addTestCluster, addTestHost } from "../testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestIdentity } from "../testing/test-identity.ts";
import { addTestInstallation, addTestOperator } from "../testing/test-rows.ts";
import { HOST_GRACE_MS, LIFETIME } from "./lifetimes.ts";

const refused = (reason: string) =>
  expect.objectContaining({ code: "unauthenticated", details: expect.objectContaining({ reason }) });

async function rack(identity: TestIdentity) {
  const { store } = identity;
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId);
  const installationId = await addTestInstallation(store, hostId, clusterId);
  return { clusterId, hostId, installationId };
}

test("each kind is who its certificate and the store say", async () => {
  await using identity = await openTestIdentity();
  const { clusterId, hostId, installationId } = await rack(identity);
  await addTestOperator(identity.store, "alice", { "*": "viewer", [clusterId]: "admin" });
  const { principals } = identity;
  const alice = await issueTestPeer(identity, { kind: "operator", subject: "alice" });
  expect(await principals.resolve(alice.chain)).toMatchObject({
    kind: "operator",
    name: "alice",
    roles: new Map([
      ["*", "viewer"],
      [clusterId, "admin"],
    ]),
  });
  const installer = await issueTestPeer(identity, { kind: "installer", subject: installationId, hostId, clusterId });
  expect(await principals.resolve(installer.chain)).toMatchObject({
    kind: "installer",
    installationId,
    hostId,
    clusterId,
  });
  const host = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId, clusterId, state: "waiting" });
  expect(await principals.resolve(host.chain)).toMatchObject({ kind: "host", hostId, clusterId, waiting: true });
  expect(await principals.resolve([])).toEqual({ kind: "nobody" });
});

test("what does not exist any more is nobody, with the reason", async () => {
  await using identity = await openTestIdentity();
  const { principals, store } = identity;
  const { hostId, installationId } = await rack(identity);
  const gone = { operator: "bob", host: newUuid(), installer: newUuid() } as const;
  for (const kind of ["operator", "host", "installer"] as const) {
    const peer = await issueTestPeer(identity, { kind, subject: gone[kind] });
    const reason = kind === "installer" ? "ended" : "gone";
    await expect(principals.resolve(peer.chain), kind).rejects.toEqual(refused(reason));
  }
  const over = await issueTestPeer(identity, { kind: "installer", subject: installationId, hostId });
  await store.write((tx) => tx.updateTable("installation").set({ outcome: "cancelled" }).execute());
  await expect(principals.resolve(over.chain)).rejects.toEqual(refused("ended"));
});

test("a certificate the store does not know, or past its end, opens nothing", async () => {
  await using identity = await openTestIdentity();
  const { principals, store, clock } = identity;
  await addTestOperator(identity.store, "alice", { "*": "admin" });
  const alice = await issueTestPeer(identity, { kind: "operator", subject: "alice" });
  await principals.resolve(alice.chain);
  const other = await issueTestPeer(identity, { kind: "operator", subject: "alice" });
  await store.write((tx) => tx.deleteFrom("certificate").where("serial", "=", other.signed.serial).execute());
  await expect(principals.resolve(other.chain)).rejects.toEqual(refused("unknown"));
  clock.forward(LIFETIME.operator + 1000);
  await expect(principals.resolve(alice.chain)).rejects.toEqual(refused("expired"));
});

test("revoking, suspending, resuming and a change of roles count from the moment they are durable", async () => {
  await using identity = await openTestIdentity();
  const { principals, store, certificates } = identity;
  const { hostId } = await rack(identity);
  const operatorId = await addTestOperator(identity.store, "alice", { "*": "viewer" });
  const alice = await issueTestPeer(identity, { kind: "operator", subject: "alice" });
  const host = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId });
  await principals.resolve(alice.chain);
  await principals.resolve(host.chain);
  await store.write(async (tx) => {
    await replaceBindings(tx, operatorId, [{ clusterId: "*", role: "admin" }]);
    tx.afterCommit(() => principals.forgetOperator("alice"));
  });
  expect(await principals.resolve(alice.chain)).toMatchObject({ roles: new Map([["*", "admin"]]) });
  await store.write((tx) => certificates.suspendHost(tx, hostId));
  await expect(principals.resolve(host.chain)).rejects.toEqual(refused("suspended"));
  await store.write((tx) => certificates.resumeHost(tx, hostId));
  expect(await principals.resolve(host.chain)).toMatchObject({ kind: "host" });
  expect(await store.write((tx) => certificates.revoke(tx, { hostId }, "test"))).toBe(1);
  await expect(principals.resolve(host.chain)).rejects.toEqual(refused("revoked"));
  await store.write((tx) => certificates.revoke(tx, { operator: "alice" }, "test"));
  await expect(principals.resolve(alice.chain)).rejects.toEqual(refused("revoked"));
});

test("a revocation that overtakes a first call's read is not undone by it", async () => {
  await using identity = await openTestIdentity();
  const { principals, store, certificates } = identity;
  const { hostId } = await rack(identity);
  for (let round = 0; round < 20; round += 1) {
    const peer = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId });
    const early = principals.resolve(peer.chain).catch(() => undefined);
    await store.write((tx) => certificates.revoke(tx, { serial: peer.signed.serial }, "test"));
    await expect(principals.resolve(peer.chain)).rejects.toEqual(refused("revoked"));
    await early;
    await expect(principals.resolve(peer.chain)).rejects.toEqual(refused("revoked"));
  }
});

test("a host has one waiting certificate; its first attach makes it good and ends the others", async () => {
  await using identity = await openTestIdentity();
  const { principals, store, certificates } = identity;
  const { hostId, installationId, clusterId } = await rack(identity);
  const whose = { hostId, clusterId };
  const old = await issueTestPeer(identity, { kind: "host", subject: hostId, ...whose });
  const installer = await issueTestPeer(identity, { kind: "installer", subject: installationId, ...whose });
  const first = await issueTestPeer(identity, { kind: "host", subject: hostId, ...whose, state: "waiting" });
  const second = await issueTestPeer(identity, { kind: "host", subject: hostId, ...whose, state: "waiting" });
  await expect(principals.resolve(first.chain)).rejects.toEqual(refused("revoked"));
  expect(await principals.resolve(second.chain)).toMatchObject({ waiting: true });
  await store.write((tx) => certificates.validateWaiting(tx, hostId));
  expect(await principals.resolve(second.chain)).toMatchObject({ waiting: false });
  for (const { chain } of [old, installer]) await expect(principals.resolve(chain)).rejects.toEqual(refused("revoked"));
  await expect(store.write((tx) => certificates.validateWaiting(tx, hostId))).rejects.toMatchObject({
    code: "precondition",
  });
});

test("the first use of a renewed certificate revokes the one it replaces", async () => {
  await using identity = await openTestIdentity();
  const { principals, store } = identity;
  const { hostId } = await rack(identity);
  const old = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId });
  const options = { kind: "host", subject: hostId, hostId, replaces: old.signed.serial } as const;
  const renewed = await issueTestPeer(identity, options);
  expect(await principals.resolve(old.chain)).toMatchObject({ kind: "host" });
  expect(await principals.resolve(renewed.chain)).toMatchObject({ kind: "host" });
  await expect(principals.resolve(old.chain)).rejects.toEqual(refused("revoked"));
  const row = await store.read((db) => selectCertificate(db, old.signed.serial));
  expect(row?.revokeReason).toBe("replaced by its renewal");
});

test("a certificate is forgotten once it cannot even be renewed", async () => {
  await using identity = await openTestIdentity();
  const { certificates, store, clock } = identity;
  const { hostId } = await rack(identity);
  const { signed } = await issueTestPeer(identity, { kind: "host", subject: hostId, hostId });
  const known = () => store.read((db) => selectCertificate(db, signed.serial));
  clock.forward(LIFETIME.host + HOST_GRACE_MS - 60_000);
  await certificates.prune();
  expect(await known()).toBeDefined();
  clock.forward(120_000);
  await certificates.prune();
  expect(await known()).toBeUndefined();
});
