import { expect, test } from "vitest";
import { newUuid } from "../../../proto/values/uuid.ts";
import { selectAudit } from "../../store/audit.ts";
import { selectOpenOf } from "../../store/installations.ts";
import { addTestCluster } from "../testing/open-test-store.ts";
import { addTestImage } from "../testing/test-rows.ts";
import { openOperations } from "./testing.ts";
import { event, hello, line, plan, type RequestInit, started, succeeded, TestStream } from "./testing-agent.ts";

const BOOT = { boot: { slot: "a", kernel: "6.1", image: "debian:12", healthy: true, reason: "" } };
const ORDER = { image: "debian:12", wipeDiskSerials: [] };
const WITHOUT_REBOOT = "arm it without --reboot, then power-cycle the machine and let it boot from the network";

test("an image that is not there, is another cluster's, or lacks something, is refused by name before anything changes", async () => {
  await using rig = await openOperations();
  await addTestImage(rig.store, await addTestCluster(rig.store, "other"), { name: "theirs:1" });
  await addTestImage(rig.store, rig.clusterId, { name: "bare:1", lacks: ["kernel", "init"] });
  const arm = async (image: string) => await rig.installations.arm(rig.alice, rig.hostId, { ...ORDER, image });
  for (const image of ["none:1", "theirs:1"]) {
    await expect(arm(image)).rejects.toMatchObject({ code: "not-found", message: `cluster lab has no image ${image}` });
  }
  await expect(arm("bare:1")).rejects.toMatchObject({
    code: "precondition",
    message: "image bare:1 cannot be installed: it has no kernel, no init",
  });
  expect(await rig.store.read((db) => selectOpenOf(db, rig.hostId))).toBeUndefined();
  expect(rig.asked).toEqual([]);
});

test("a fixed address outside the boot network is refused, but not for a rescue", async () => {
  await using rig = await openOperations();
  const { store, hostId, installations, alice } = rig;
  await store.write(async (tx) => {
    await tx.updateTable("host").set({ network: "static" }).execute();
    await tx.insertInto("host_address").values({ address: "198.51.100.7", host_id: hostId, ordinal: 0 }).execute();
  });
  await expect(installations.arm(alice, hostId, ORDER)).rejects.toMatchObject({ message: /198.51.100.7/ });
  const rescue = { image: "", wipeDiskSerials: [], rescue: true };
  expect(await installations.arm(alice, hostId, rescue)).toMatchObject({ rescue: true, image: "" });
});

test("what is ordered is kept: disk, size, permission, and who gave it", async () => {
  await using rig = await openOperations();
  const storage = { disk: "serial=S1", rootSizeBytes: 2 ** 34, wipe: true };
  const { id } = await rig.installations.arm(rig.alice, rig.hostId, {
    image: "debian:12",
    wipeDiskSerials: ["S2"],
    storage,
  });
  expect(await rig.installations.get(id)).toMatchObject({ storage, rescue: false, rebootPaused: false });
  const [audit] = await rig.store.read((db) => selectAudit(db, { clusters: "all", limit: 1 }));
  expect(audit?.details).toMatchObject({ disk: "serial=S1", wipe: "true", wipeDiskSerials: "S2", image: "debian:12" });
});

test("an attached system is restarted into the network before its host is armed, and not when it cannot be armed", async () => {
  await using rig = await openOperations();
  const { installations, alice, hostId } = rig;
  const host = new TestStream(rig.agents, rig.host()).send(hello(newUuid(), BOOT));
  await host.welcome();
  const wrong = installations.arm(alice, hostId, { ...ORDER, image: "none:1" }, { reboot: true });
  await expect(wrong).rejects.toMatchObject({ code: "not-found" });
  const arming = installations.arm(alice, hostId, ORDER, { reboot: true });
  const told = await host.untilCommand("reboot");
  expect(rig.asked).toEqual([]);
  if (told?.case !== "command") throw new Error("no command came");
  expect(told.value.command).toMatchObject({ case: "reboot", value: { network: true } });
  host.send({ case: "result", value: { commandId: told.value.id ?? "" } });
  expect(await arming).toMatchObject({ state: "armed" });
  expect(rig.asked).toEqual([`suspend ${hostId}`]);
  host.cut();
});

test("a system that cannot restart into the network, or is not there, is not armed either", async () => {
  await using rig = await openOperations();
  const { installations, alice, hostId } = rig;
  const arm = async () => await installations.arm(alice, hostId, ORDER, { reboot: true });
  await expect(arm()).rejects.toMatchObject({ code: "unavailable", hint: WITHOUT_REBOOT });
  const host = new TestStream(rig.agents, rig.host()).send(hello(newUuid(), BOOT));
  await host.welcome();
  const arming = arm();
  arming.catch(() => undefined);
  const told = await host.untilCommand("reboot");
  if (told?.case !== "command") throw new Error("no command came");
  host.send({ case: "result", value: { commandId: told.value.id ?? "", error: "no EFI variables" } });
  await expect(arming).rejects.toMatchObject({
    code: "precondition",
    message: 'the agent did not do it: "no EFI variables"; the host is not armed',
    hint: WITHOUT_REBOOT,
  });
  expect(await rig.store.read((db) => selectOpenOf(db, hostId))).toBeUndefined();
  host.cut();
});

test("a restart is held and let go any number of times, and an agent that comes later is told", async () => {
  await using rig = await openOperations();
  const { installations, alice } = rig;
  const id = await rig.opened("enrol");
  const agent = new TestStream(rig.agents, rig.installer(id)).send(hello());
  expect(await agent.welcome()).toMatchObject({ rebootPaused: false });
  for (const paused of [true, true, false, false, true]) {
    expect(await installations.pauseReboot(alice, id, paused)).toMatchObject({ rebootPaused: paused });
  }
  await agent.untilCommand("resumeReboot");
  const commands = agent.responses.map(({ message }) => message?.case === "command" && message.value.command?.case);
  expect(commands.filter((command) => command === "pauseReboot").length).toBeGreaterThanOrEqual(2);
  agent.cut();
  await agent.ended;
  const later = new TestStream(rig.agents, rig.installer(id)).send(hello());
  expect(await later.welcome()).toMatchObject({ rebootPaused: true });
  await rig.store.write(async (tx) => void (await installations.apply(tx, id, "finish", { actor: "agent" })));
  for (const paused of [false, true, false]) {
    // A machine that waits for shells can still be held.
    expect(await installations.pauseReboot(alice, id, paused)).toMatchObject({
      rebootPaused: paused,
      state: "rebooting",
    });
  }
  later.cut();
  await later.ended;
  await expect(installations.pauseReboot(alice, id, true)).rejects.toMatchObject({ code: "precondition" });
});

test("a machine that waits for open shells says how long at most, and is shown with it", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol");
  const beat = (seconds?: number): RequestInit => ({
    case: "heartbeat",
    value: seconds === undefined ? {} : { shellsHold: { seconds: BigInt(seconds) } },
  });
  const agent = new TestStream(rig.agents, rig.installer(id)).send(hello());
  await agent.welcome();
  const restartAt = async () => {
    const { restartAt: at } = await rig.installations.get(id);
    return at && Math.round((at - rig.time.now) / 60_000);
  };
  expect(await restartAt()).toBeUndefined();
  agent.send(beat(900));
  await expect.poll(restartAt).toBe(15);
  agent.send(beat());
  await expect.poll(restartAt).toBeUndefined();
  agent.send(beat(900));
  await expect.poll(restartAt).toBe(15);
  agent.cut();
  await agent.ended;
  expect(await restartAt()).toBeUndefined();
  const liar = new TestStream(rig.agents, rig.installer(id)).send(hello(), beat(1e9));
  expect(await liar.ended).toMatchObject({ code: "invalid" });
});

test("what is held or let go at the machine is kept, shown and journalled, and not told to who said it", async () => {
  await using rig = await openOperations();
  const { installations, alice } = rig;
  const id = await rig.opened("enrol");
  const held = (sequence: number, paused: boolean) => event(sequence, { case: "rebootPaused", value: { paused } });
  const agent = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")), held(2, true));
  await agent.untilAcknowledged(2);
  expect(await installations.get(id)).toMatchObject({ rebootPaused: true });
  await installations.pauseReboot(alice, id, false);
  await agent.untilCommand("resumeReboot");
  agent.send(event(3, started("a")), held(4, true), event(5, succeeded("a")), held(6, false), held(7, true));
  await agent.untilAcknowledged(7);
  expect(await installations.get(id)).toMatchObject({ rebootPaused: true, steps: [{ name: "a", state: "succeeded" }] });
  agent.send(event(8, { case: "finished", value: {} }), held(9, false), held(10, true), held(11, false));
  await agent.untilAcknowledged(11);
  expect(await installations.get(id)).toMatchObject({ rebootPaused: false, state: "rebooting" });
  const commands = agent.responses.flatMap(({ message }) => (message?.case === "command" ? [message.value] : []));
  expect(commands).toMatchObject([{ command: { case: "resumeReboot" }, acknowledgedSequence: 2n }]);
  agent.cut();
});

test("an agent that starts again while its machine's restart is held hears that all is done", async () => {
  await using rig = await openOperations();
  const { installations, alice } = rig;
  const id = await rig.opened("enrol");
  await installations.pauseReboot(alice, id, true);
  const first = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
  expect(await first.welcome()).toMatchObject({ finished: false });
  first.send(event(2, started("a")), event(3, succeeded("a")), event(4, { case: "finished", value: {} }));
  await first.untilAcknowledged(4);
  first.cut();
  await first.ended;
  const again = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")), line(2, "here again"));
  expect(await again.welcome()).toMatchObject({ finished: true, rebootPaused: true, proceed: false, doneSteps: ["a"] });
  await again.untilAcknowledged(2);
  const { state, steps } = await installations.get(id);
  expect({ state, steps }).toMatchObject({ state: "rebooting", steps: [{ name: "a", state: "succeeded" }] });
  again.send(event(3, started("a")));
  expect(await again.ended).toMatchObject({ code: "precondition", details: { state: "rebooting" } });
});

test("a retry brings the wipe permission it needs: added, never taken away, and told", async () => {
  await using rig = await openOperations();
  const { installations, alice } = rig;
  const id = await rig.opened("enrol", "fail");
  const first = await installations.retry(alice, id, { wipe: false, wipeDiskSerials: ["S1", "S2"] });
  expect(first).toMatchObject({ state: "installing", wipeDiskSerials: ["S1", "S2"], storage: { wipe: false } });
  await rig.store.write(async (tx) => void (await installations.apply(tx, id, "fail", { actor: "agent" })));
  expect(await installations.retry(alice, id, { wipe: true, wipeDiskSerials: [] })).toMatchObject({
    ...{ wipeDiskSerials: ["S1", "S2"], storage: { wipe: true } },
  });
  const again = installations.retry(alice, id, { wipe: false, wipeDiskSerials: ["S3"] });
  await expect(again).rejects.toMatchObject({ code: "precondition" });
  expect(await installations.get(id)).toMatchObject({ wipeDiskSerials: ["S1", "S2"] });
  const audit = await rig.store.read((db) => selectAudit(db, { clusters: "all", limit: 9 }));
  expect(audit.filter(({ details }) => details.event === "retry")).toMatchObject([
    { details: { wipe: "true" } },
    { details: { wipeDiskSerials: "S1 S2" } },
  ]);
  const agent = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
  expect(await agent.welcome()).toMatchObject({ proceed: true });
  agent.cut();
});
