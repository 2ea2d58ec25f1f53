import { expect, test } from "vitest";
import { parseHostName } from "../../../proto/values/host-name.ts";
import { selectAudit } from "../../store/audit.ts";
import { hostById } from "../../store/hosts.ts";
import {
  ADDRESS,
  expectRefused,
  type GateRig,
  MAC,
  MINUTE,
  OTHER_ADDRESS,
  OTHER_MAC,
  openGateRig,
  ROOT,
  refusalCount,
} from "./testing.ts";

const audited = ({ store }: GateRig, actor: string) =>
  store.read((db) => selectAudit(db, { clusters: "all", actor, outcome: "allowed", limit: 100 }));

test("a sender that is not proven to be the machine it says is refused, also for an armed host", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  const forged = { mac: MAC, address: OTHER_ADDRESS, neighbour: { mac: OTHER_MAC } };
  await expectRefused(rig, rig.boot(forged), "link address is another machine's");
  await expectRefused(rig, rig.boot({ neighbour: { mac: OTHER_MAC } }), "link address is another machine's");
  await expectRefused(rig, rig.boot({ mac: OTHER_MAC, neighbour: { mac: OTHER_MAC } }), "leased to another machine");
  await expectRefused(rig, rig.boot({ neighbour: "absent" }), "neighbour table does not know");
  rig.core.gate.leases.released(ADDRESS);
  await expectRefused(rig, rig.boot(), "was not leased by this server");
  rig.lease(MAC, ADDRESS);
  rig.time.now += 60 * MINUTE;
  await expectRefused(rig, rig.boot(), "lease of the sender's address has ended");
  expect(await refusalCount(rig)).toBe(6);
});

test("a host that is not armed, no longer armed or frozen gets nothing; an installed one its disk", async () => {
  await using rig = await openGateRig();
  await expectRefused(rig, rig.boot(), "web01 is not armed");
  const id = await rig.arm();
  rig.time.now += 59 * MINUTE;
  expect(await rig.boot()).toMatchObject({ kind: "install", hostName: "web01", installationId: id });
  rig.time.now += MINUTE;
  rig.lease(MAC, ADDRESS);
  await expectRefused(rig, rig.boot(), "the window of web01 is over");
  await rig.core.installations.expireOverdue();
  await expectRefused(rig, rig.boot(), "web01 is not armed");
  const again = await rig.arm();
  const apply = (event: "conflict" | "unfreeze" | "retry" | "finish" | "report") =>
    rig.store.write(async (tx) => void (await rig.core.installations.apply(tx, again, event, { actor: "test" })));
  await apply("conflict");
  await expectRefused(rig, rig.boot(), "web01 is frozen");
  for (const event of ["unfreeze", "retry", "finish"] as const) await apply(event);
  expect(await rig.boot()).toEqual({ kind: "local-disk", hostName: "web01" });
  await apply("report");
  expect(await rig.boot()).toEqual({ kind: "local-disk", hostName: "web01" });
});

test("of two scripts asked for at once one has a claim that is good", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  const decisions = await Promise.all([rig.boot(), rig.boot(), rig.boot()]);
  const fetched = await Promise.allSettled(
    decisions.map((decision) => {
      if (decision.kind !== "install") return expect.unreachable();
      return rig.core.gate.claims.fetch({ claimId: decision.claimId, address: ADDRESS, neighbour: { mac: MAC } });
    }),
  );
  expect(fetched.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("while the agent of an earlier boot may live the machine waits; a silent agent gives way after 90 s", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  await rig.enrol(await rig.claim());
  const agent = rig.attach();
  expect(await rig.boot()).toEqual({ kind: "wait", reason: "web01 is being installed already", seconds: 15 });
  rig.time.now += 1_000;
  agent.seen(); // its last words were on the way
  rig.time.now += 15_000;
  expect(await rig.boot()).toMatchObject({ kind: "wait" });
  rig.time.now += 90_000;
  rig.core.presence.sweep();
  expect(await rig.boot()).toMatchObject({ kind: "install" });
  const waits = (await audited(rig, `mac:${MAC}`)).filter(({ reason }) => reason.includes("waits"));
  expect(waits).toHaveLength(1);
  agent.detach();
});

test("when the agent still speaks after another boot of its host, there are two machines", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  await rig.enrol(await rig.claim());
  const agent = rig.attach();
  expect(await rig.boot()).toMatchObject({ kind: "wait" });
  rig.time.now += 15_000;
  agent.seen();
  await expectRefused(rig, rig.boot(), "two machines claim this host");
  expect(await rig.state()).toBe("frozen");
  await expectRefused(rig, rig.boot(), "web01 is frozen");
});

test("an unknown machine makes first contact within its window; the audit log hears of it once", async () => {
  await using rig = await openGateRig();
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  const stranger = { mac: OTHER_MAC, address: OTHER_ADDRESS, neighbour: { mac: OTHER_MAC } };
  const inventory = new Map([["serial", "x".repeat(1_000)]]);
  for (let asked = 0; asked < 3; asked += 1) {
    expect(await rig.boot({ ...stranger, inventory })).toEqual({ kind: "first-contact" });
    rig.time.now += MINUTE;
  }
  const { contacts } = await rig.core.contacts.list({ limit: 10 });
  expect(contacts).toMatchObject([{ mac: OTHER_MAC, address: OTHER_ADDRESS }]);
  expect(contacts[0]?.inventory.serial).toHaveLength(256);
  expect(await audited(rig, `mac:${OTHER_MAC}`)).toHaveLength(1);
  rig.time.now += 7 * MINUTE;
  await expectRefused(rig, rig.boot(stranger), "its time for a first contact is over");
});

test("a machine that was at the menu and is let in before it is armed is not sent away at once", async () => {
  await using rig = await openGateRig();
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  const stranger = { mac: OTHER_MAC, address: OTHER_ADDRESS, neighbour: { mac: OTHER_MAC } };
  expect(await rig.boot(stranger)).toEqual({ kind: "first-contact" });
  const { clusterId = "" } = (await rig.store.read((db) => hostById(db, rig.hostId))) ?? {};
  const { id } = await rig.core.hosts.create(ROOT, clusterId, {
    ...{ name: parseHostName("web02"), macs: [OTHER_MAC], addresses: [], profile: "", tags: new Map() },
    ...{ resume: "never", network: "dhcp" },
  });
  expect(await rig.boot(stranger)).toEqual({
    kind: "wait",
    reason: "web02 is known now and not armed yet",
    seconds: 5,
  });
  await expectRefused(rig, rig.boot(stranger), "web02 is not armed");
  await rig.core.installations.arm(ROOT, id, { image: "", wipeDiskSerials: [] });
  expect(await rig.boot(stranger)).toMatchObject({ kind: "install", hostName: "web02" });
});

test("a host that asks on and on fills neither the audit log nor the table of claims", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  const kinds = [];
  for (let count = 0; count < 50; count += 1) kinds.push((await rig.boot()).kind);
  expect(kinds.filter((kind) => kind === "install")).toHaveLength(30);
  expect(kinds.at(-1)).toBe("wait");
  expect(await audited(rig, `mac:${MAC}`)).toHaveLength(30);
  rig.time.now += MINUTE;
  expect(await rig.boot()).toMatchObject({ kind: "install" });
  const apply = (event: "enrol" | "finish") =>
    rig.store.write(async (tx) => void (await rig.core.installations.apply(tx, id, event, { actor: "test" })));
  for (const event of ["enrol", "finish"] as const) await apply(event);
  for (let count = 0; count < 50; count += 1) expect(await rig.boot()).toMatchObject({ kind: "local-disk" });
  expect(await audited(rig, `mac:${MAC}`)).toHaveLength(31 + 10);
});

test("a question of long ago does not make two machines of one", async () => {
  await using rig = await openGateRig();
  await rig.arm();
  await rig.enrol(await rig.claim());
  const agent = rig.attach();
  expect(await rig.boot()).toMatchObject({ kind: "wait" });
  rig.time.now += 10 * MINUTE;
  agent.seen();
  expect(await rig.boot()).toMatchObject({ kind: "wait" });
  expect(await rig.state()).toBe("installing");
  rig.time.now += MINUTE / 2;
  agent.seen();
  await expectRefused(rig, rig.boot(), "two machines claim this host");
});
