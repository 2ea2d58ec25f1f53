import { X509Certificate } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { makeRequest } from "../../../certs/csr.ts";
import { readCertificatesPem } from "../../../certs/files.ts";
import { hostDoorName, hostDoorNameOfId, hostDoorProblem } from "../../../certs/host-door.ts";
import { makeKey, privateKeyPem, publicKeyDigest } from "../../../certs/key.ts";
import { isSignedStatement } from "../../../certs/statement.ts";
import { verifyPeer } from "../../../certs/verify.ts";
import { DIRECT_LIST_CONTEXT, LONGEST_DIRECT_LIST_MS } from "../../../proto/direct/list.ts";
import { DirectAccessListSchema } from "../../../proto/gen/hps/v1/direct_pb.ts";
import { OPEN_SHELL_POLICY } from "../../store/clusters.ts";
import { Clusters } from "../clusters/clusters.ts";
import type { CommandInit } from "../presence/pending-commands.ts";
import { addTestCluster, addTestHost } from "../testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity } from "../testing/test-identity.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import { DirectAccess } from "./direct-access.ts";
import type { RecordingMode } from "./recording.ts";

const WHO = { actor: "test", action: "test", address: "" };

async function openRig(recording: RecordingMode = "best-effort") {
  const identity = await openTestIdentity();
  const clusterId = await addTestCluster(identity.store);
  const hostId = await addTestHost(identity.store, clusterId, { name: "web01" });
  await identity.store.write(async (tx) => {
    const addresses = ["192.0.2.7", "127.0.0.1"].map((address, ordinal) => ({ address, host_id: hostId, ordinal }));
    await tx.insertInto("host_address").values(addresses).execute();
  });
  const told: CommandInit["command"][] = [];
  const direct = new DirectAccess({
    ...identity,
    presence: { isAttached: (id) => id === hostId, tell: (_host, command) => void told.push(command) },
    recording,
    onError: (error) => expect.unreachable(String(error)),
  });
  const clusters = new Clusters({ ...identity, recording });
  const turn = async (on: boolean) =>
    void (await clusters.update(WHO, clusterId, { shellPolicy: { ...OPEN_SHELL_POLICY, direct: on } }, ""));
  const key = makeKey();
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const signed = await identity.authority.sign({ kind: "server", subject: "hpsd", publicKey: key.publicKey, ...names });
  const signer = { key: privateKeyPem(key.privateKey), chain: signed.chainPem };
  const renew = async () => await direct.renew(hostId, makeRequest(makeKey()), signer);
  return { identity, hostId, told, direct, turn, renew, signer };
}

test("off nobody gets a list; on it is signed, bound to the host and its time, and names who may enter by key", async () => {
  const { identity, direct, hostId, turn, renew, signer } = await openRig();
  await using _ = identity;
  using _direct = direct;
  await expect(renew()).rejects.toMatchObject({ code: "precondition" });
  await turn(true);
  await addTestOperator(identity.store, "ann", { "*": "operator" });
  await addTestOperator(identity.store, "vic", { "*": "viewer" });
  const ann = await issueTestPeer(identity, { kind: "operator", subject: "ann" });
  await issueTestPeer(identity, { kind: "operator", subject: "vic" });
  const { list, signature, certificateChain } = await renew();
  const [hpsd] = readCertificatesPem(signer.chain, "the chain");
  const bytes = list ?? expect.unreachable();
  const said = { bytes, signature: signature ?? expect.unreachable() };
  const signedBy = hpsd?.publicKey ?? expect.unreachable();
  expect(isSignedStatement(signedBy, DIRECT_LIST_CONTEXT, said)).toBe(true);
  expect(isSignedStatement(signedBy, "something else", said)).toBe(false);
  const read = fromBinary(DirectAccessListSchema, bytes);
  expect(read).toMatchObject({ hostId, host: "web01", cluster: "lab", operators: [{ name: "ann" }] });
  expect(Number((read.expireTime?.seconds ?? 0n) - (read.issueTime?.seconds ?? 0n)) * 1000).toBe(
    LONGEST_DIRECT_LIST_MS,
  );
  expect(Buffer.from(read.operators[0]?.keys[0] ?? []).toString("hex")).toBe(publicKeyDigest(ann.keys.publicKey));
  const [door] = readCertificatesPem(certificateChain ?? "", "the door");
  const certificate = door ?? expect.unreachable();
  expect(hostDoorProblem("test.example", certificate)).toBeUndefined();
  for (const name of [hostDoorName("lab", "web01"), hostDoorNameOfId(hostId)]) {
    expect(certificate.checkHost(name, { subject: "never" })).toBe(name);
  }
  expect(certificate.checkIP("192.0.2.7")).toBe("192.0.2.7");
  // An address that hpsd itself is known by is never a host's.
  expect(certificate.checkIP("127.0.0.1")).toBeUndefined();
  const trust = identity.authority.trust();
  const options = { leaf: new X509Certificate(certificate.raw).raw, now: identity.clock() };
  expect(() => verifyPeer(trust, { ...options, purpose: "client" })).toThrow("is not for a client");
});

test("who is revoked is not on the next list, and the agent is told to ask for it", async () => {
  const { identity, direct, turn, renew, told } = await openRig();
  await using _ = identity;
  using _direct = direct;
  await turn(true);
  await addTestOperator(identity.store, "ann", { "*": "operator" });
  const ann = await issueTestPeer(identity, { kind: "operator", subject: "ann" });
  const before = fromBinary(DirectAccessListSchema, (await renew()).list ?? expect.unreachable());
  await expect.poll(() => told.length).toBeGreaterThan(0);
  told.length = 0;
  await identity.store.write((tx) => identity.certificates.revoke(tx, { serial: ann.signed.serial }, "test"));
  await expect.poll(() => told).toMatchObject([{ case: "refreshDirectAccess", value: { on: true } }]);
  const after = fromBinary(DirectAccessListSchema, (await renew()).list ?? expect.unreachable());
  expect([before.operators.length, after.operators.length]).toEqual([1, 0]);
  expect(after.counter).toBeGreaterThan(before.counter);
  told.length = 0;
  await turn(false);
  await expect.poll(() => told).toMatchObject([{ case: "refreshDirectAccess", value: { on: false } }]);
});

test("an hpsd that records strictly gives no list, whatever a cluster said before", async () => {
  const { identity, direct, turn, renew } = await openRig("strict");
  await using _ = identity;
  using _direct = direct;
  await expect(turn(true)).rejects.toMatchObject({
    code: "precondition",
    message: expect.stringContaining("strictly"),
  });
  await expect(renew()).rejects.toMatchObject({ code: "precondition" });
});
