import { expect, test } from "vitest";
import { newUuid } from "../../../proto/values/uuid.ts";
import { selectHostSayings, selectInstalledHost, updateHostReport } from "../../store/installed-host.ts";
import { openOperations } from "./testing.ts";
import { event, hello, plan, started, TestStream } from "./testing-agent.ts";

const HEALTHY = { slot: "a", kernel: "6.1", image: "debian:12", healthy: true, reason: "" };
const AILING = { ...HEALTHY, healthy: false, reason: "no network" };
const FACTS = {
  ...{ macs: ["52:54:00:00:00:01"], vendor: "QEMU", memoryBytes: 2n ** 30n, cpus: 2, firmware: "uefi" },
  disks: [{ name: "sda", sizeBytes: 2n ** 40n, serial: "S1", sectorBytes: 4096, transport: "nvme" }],
};
const REASON = "the installed system is not healthy: no network";

type Rig = Awaited<ReturnType<typeof openOperations>>;

/** The installed system attaches and says this of itself. */
function booted(rig: Rig, boot: typeof HEALTHY, waiting: boolean, run = newUuid()): TestStream {
  return new TestStream(rig.agents, rig.host(waiting)).send(hello(run, { boot, facts: FACTS }));
}

test("a system that is not healthy is shown why, and ends its installation when it says that it is", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol", "finish");
  const host = booted(rig, AILING, true);
  await host.welcome();
  expect(await rig.installations.get(id)).toMatchObject({ state: "rebooting", outcome: "open", reason: REASON });
  expect(rig.asked).toContain(`validate ${rig.hostId}`);
  const sayings = async () => await rig.store.read((db) => selectHostSayings(db, rig.hostId));
  expect((await sayings()).boot).toEqual(AILING);
  host.send(event(1, { case: "boot", value: HEALTHY }));
  await host.untilAcknowledged(1);
  expect(await rig.installations.get(id)).toMatchObject({ state: "ended", outcome: "succeeded", reason: "" });
  expect((await sayings()).boot).toEqual(HEALTHY);
  host.cut();
});

test("one that comes back with the certificate that became good is still awaited; the same words are not said twice", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol", "finish");
  const run = newUuid();
  const first = booted(rig, AILING, true, run);
  await first.welcome();
  first.cut();
  await first.ended;
  const { lastJournal } = await rig.installations.get(id);
  const again = booted(rig, AILING, false, run);
  await again.welcome();
  again.cut();
  expect(await rig.installations.get(id)).toMatchObject({ state: "rebooting", reason: REASON, lastJournal });
  const healthy = booted(rig, HEALTHY, false);
  await healthy.welcome();
  expect(await rig.installations.get(id)).toMatchObject({ outcome: "succeeded" });
  expect(rig.asked.filter((what) => what.startsWith("validate"))).toHaveLength(1);
  healthy.cut();
});

test("facts are kept as they were said, and no host is told what is none", async () => {
  await using rig = await openOperations();
  const host = booted(rig, HEALTHY, false);
  await host.welcome();
  const { facts } = await rig.store.read((db) => selectHostSayings(db, rig.hostId));
  expect(facts).toMatchObject({ vendor: "QEMU", memoryBytes: 2 ** 30, firmware: "uefi" });
  expect(facts?.disks).toMatchObject([{ name: "sda", serial: "S1", sectorBytes: 4096 }]);
  host.cut();
  const wrong = [
    ...[{ macs: [] }, { macs: ["x"] }, { ...FACTS, vendor: "x".repeat(129) }, { ...FACTS, memoryBytes: -1n }],
    ...[
      { ...FACTS, disks: [{ name: "s d", sizeBytes: 1n }] },
      { ...FACTS, firmware: "coreboot" },
    ],
  ];
  for (const facts of wrong) {
    const bad = new TestStream(rig.agents, rig.host()).send(hello(newUuid(), { boot: HEALTHY, facts }));
    expect(await bad.ended).toMatchObject({ code: "invalid" });
  }
});

test("a rescue leaves the installed system what it was, from arming to its end", async () => {
  await using rig = await openOperations();
  const { store, hostId, installations } = rig;
  await store.write((tx) => updateHostReport(tx, hostId, { installedAt: 5, updatedAt: 5 }));
  const id = await rig.rescue("enrol");
  expect(rig.asked).toEqual([]);
  const installed = booted(rig, HEALTHY, false);
  expect(await installed.welcome()).toMatchObject({ hostId });
  installed.cut();
  const agent = new TestStream(rig.agents, rig.installer(id)).send(hello());
  expect(await agent.welcome()).toMatchObject({ installation: id, proceed: true });
  await installations.cancel(rig.alice, id, "done");
  expect(await agent.ended).toMatchObject({ code: "unauthenticated", details: { reason: "ended", restart: "yes" } });
  expect(rig.asked).toEqual([`void ${id}`, `revoke ${id}`, `cancel ${hostId}`]);
  expect((await store.read((db) => selectInstalledHost(db, hostId)))?.installedAt).toBe(5);
});

test("a rescue goes on by itself however often its machine restarts: it has nothing to do that could harm", async () => {
  await using rig = await openOperations({ resume: "never" });
  const { installations, store } = rig;
  const id = await rig.rescue("enrol");
  for (let time = 0; time < 3; time += 1) {
    await store.write(async (tx) => void (await installations.reenter(tx, id, { actor: "machine" })));
    expect((await installations.get(id)).state).toBe("installing");
  }
});

test("a retry said to a machine that is on its way counts when it comes, once", async () => {
  await using rig = await openOperations({ resume: "never" });
  const { installations, store } = rig;
  const id = await rig.opened("enrol", "fail");
  const back = async () => {
    await store.write(async (tx) => void (await installations.reenter(tx, id, { actor: "machine" })));
    return (await installations.get(id)).state;
  };
  expect(await back()).toBe("failed");
  await installations.retry(rig.alice, id);
  expect(await back()).toBe("installing");
  expect(await back()).toBe("interrupted");
  await installations.retry(rig.alice, id);
  const agent = new TestStream(rig.agents, rig.installer(id)).send(
    hello(),
    event(1, plan("a")),
    event(2, started("a")),
  );
  await agent.untilAcknowledged(2);
  agent.cut();
  expect(await back()).toBe("interrupted");
});
