import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { parseIpAddress } from "../../../proto/values/ip-address.ts";
import { selectLogLines } from "../../store/log-lines.ts";
import { Bell } from "../operations/bell.ts";
import { LogQuota } from "../operations/log-quota.ts";
import { LOADER_SOURCE, LoaderWatch } from "./loader-watch.ts";
import { ADDRESS, type GateRig, MAC, OTHER_ADDRESS, OTHER_MAC, openGateRig } from "./testing.ts";

const SOON_MS = 20;

/** The rig's own waits longer than a test. */
function watchOf({ core, store, time }: GateRig): LoaderWatch {
  const parts = { store, clock: () => time.now, leases: core.gate.leases };
  return new LoaderWatch(parts, { quota: new LogQuota(), bell: new Bell() }, SOON_MS);
}

async function linesOf({ store }: GateRig, id: string): Promise<readonly string[]> {
  const rows = await store.read((db) => selectLogLines(db, id, { after: 0, last: 100 }));
  return rows.map(({ source, text }) => `${source}: ${Buffer.from(text).toString()}`);
}

const SENTENCE = `${LOADER_SOURCE}: the firmware of ${MAC} loaded ipxe.efi, and nothing was heard of it since: with Secure Boot on, a firmware loads it and then refuses it; turn that off in the firmware's setup`;

test("a machine that was sent iPXE and never asks how to boot is told of in the log of its installation, once", async () => {
  await using rig = await openGateRig();
  const watch = watchOf(rig);
  const id = await rig.arm();
  watch.sent("ipxe.efi", ADDRESS);
  watch.sent("ipxe.efi", ADDRESS);
  await expect.poll(() => linesOf(rig, id)).toEqual([SENTENCE]);
  watch.sent("ipxe.efi", ADDRESS);
  await sleep(2 * SOON_MS);
  expect(await linesOf(rig, id)).toEqual([SENTENCE]);
  expect(await rig.state()).toBe("armed");
});

test("one that asks is not, nor a stranger, nor a host that nothing holds", async () => {
  await using rig = await openGateRig();
  const watch = watchOf(rig);
  watch.sent("ipxe.efi", ADDRESS);
  await sleep(2 * SOON_MS);
  const id = await rig.arm();
  watch.sent("ipxe.efi", ADDRESS);
  watch.asked(ADDRESS);
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  watch.sent("ipxe.efi", OTHER_ADDRESS);
  watch.sent("ipxe.efi", parseIpAddress("10.0.0.77"));
  await sleep(2 * SOON_MS);
  expect(await linesOf(rig, id)).toEqual([]);
});
