import { describe, expect, test } from "vitest";
import { InstallationState, Outcome, StepState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { ALICE } from "../core/operations/testing.ts";
import { event, hello, line, plan, progress, started, TestStream } from "../core/operations/testing-agent.ts";
import { startOperationsRig } from "./testing/operations-rig.ts";

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe("InstallationService", () => {
  test("shows, watches and logs an installation as the contract has it", async () => {
    await using rig = await startOperationsRig();
    const { core, installations, alice } = rig;
    const installation = await core.opened("enrol");
    const stream = new TestStream(core.agents, core.installer(installation)).send(hello());
    stream.send(event(1, plan("image", "finish")), event(2, started("image")), event(3, progress("image", 7)));
    stream.send(line(4, Buffer.from([0xff, 0x00, 0x1b]), "image"));
    await stream.untilAcknowledged(4);
    const shown = await installations.getInstallation({ installation }, alice);
    expect(shown).toMatchObject({
      ...{ id: installation, cluster: "lab", host: "web01", hostId: core.hostId, attached: true, armedBy: "alice" },
      ...{ state: InstallationState.INSTALLING, outcome: Outcome.OPEN, image: "debian/web:12" },
      steps: [
        { name: "image", state: StepState.RUNNING, attempt: 1, done: 7n, total: 100n, unit: "bytes" },
        { name: "finish", state: StepState.PENDING, attempt: 0 },
      ],
    });
    const watched = all(installations.watchInstallation({ installation, afterSequence: 2n }, alice));
    const log = all(installations.watchInstallationLog({ installation, follow: true }, alice));
    await installations.cancelInstallation({ installation, reason: "enough" }, alice);
    const entries = (await watched).flatMap(({ entry }) => (entry ? [entry] : []));
    expect(entries.map(({ sequence, entry }) => [Number(sequence), entry.case])).toEqual([
      ...[3, 4, 5].map((sequence) => [sequence, "event"]),
      [6, "change"],
    ]);
    expect((await watched).at(-1)?.installation).toMatchObject({ state: InstallationState.ENDED, reason: "enough" });
    const lines = (await log).flatMap((page) => page.lines);
    expect(lines).toMatchObject([{ sequence: 1n, source: "image" }]);
    expect(Buffer.from(lines[0]?.text ?? [])).toEqual(Buffer.from([0xff, 0x00, 0x1b]));
    expect(rig.incidents).toEqual([]);
  });

  test("lists in pages", async () => {
    await using rig = await startOperationsRig();
    const { core, installations, alice } = rig;
    const made: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      made.unshift(await core.opened());
      if (n < 2) await core.installations.disarm(ALICE, core.hostId);
    }
    const first = await installations.listInstallations({ cluster: "lab", host: "lab/web01", pageSize: 2 }, alice);
    expect(first.installations.map(({ id }) => id)).toEqual(made.slice(0, 2));
    const pageToken = first.nextPageToken;
    const second = await installations.listInstallations({ cluster: "lab", host: "lab/web01", pageToken }, alice);
    expect(second.installations.map(({ id }) => id)).toEqual(made.slice(2));
    expect(second.nextPageToken).toBe("");
    const open = await installations.listInstallations({ openOnly: true }, alice);
    expect(open.installations.map(({ id }) => id)).toEqual(made.slice(0, 1));
    await expect(installations.listInstallations({ pageToken }, alice)).rejects.toMatchObject({ code: "invalid" });
  });

  test("decides: retry, unfreeze, approve, and refuses what the state does not allow", async () => {
    await using rig = await startOperationsRig();
    const { core, installations, alice } = rig;
    const installation = await core.opened("enrol", "conflict");
    await expect(installations.retryInstallation({ installation }, alice)).rejects.toMatchObject({
      ...{ code: "precondition", message: "cannot retry a host that is frozen", details: { state: "frozen" } },
    });
    expect(await installations.unfreezeInstallation({ installation }, alice)).toMatchObject({
      state: InstallationState.INTERRUPTED,
    });
    expect(await installations.retryInstallation({ installation }, alice)).toMatchObject({
      state: InstallationState.INSTALLING,
    });
    await installations.approveEnrolment({ installation, fingerprint: "aaaa-bbbb" }, alice);
    expect(rig.approved).toEqual([`${installation} aaaa-bbbb`]);
    const reason = "x".repeat(5000);
    await expect(installations.cancelInstallation({ installation, reason }, alice)).rejects.toMatchObject({
      code: "invalid",
    });
  });

  test("an unknown installation is not found; a wrong sequence is said to be wrong", async () => {
    await using rig = await startOperationsRig();
    const { core, installations, alice } = rig;
    const unknown = installations.getInstallation({ installation: newUuid() }, alice);
    await expect(unknown).rejects.toMatchObject({ code: "not-found" });
    const installation = await core.opened();
    const watch = (afterSequence: bigint) =>
      all(installations.watchInstallation({ installation, afterSequence }, alice));
    await expect(watch(-1n)).rejects.toMatchObject({ code: "invalid" });
    await expect(watch(99n)).rejects.toMatchObject({ code: "out-of-range" });
  });
});
