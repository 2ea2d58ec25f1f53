import { expect, test } from "vitest";
import { ADDRESS, expectRefused, MAC, MINUTE, OTHER_ADDRESS, OTHER_MAC, openGateRig, ROOT } from "./testing.ts";

test("files are for machines of known hosts", async () => {
  await using rig = await openGateRig();
  const file = (address: typeof ADDRESS, mac: string) =>
    rig.core.gate.files.admit({ file: "kernel", address, neighbour: { mac } });
  await file(ADDRESS, MAC);
  await expectRefused(rig, file(ADDRESS, OTHER_MAC), "another machine's");
  await expectRefused(rig, file(OTHER_ADDRESS, MAC), "was not leased by this server");
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  await expectRefused(rig, file(OTHER_ADDRESS, OTHER_MAC), "the machine is unknown");
  await rig.core.hosts.delete(ROOT, rig.hostId, "");
  await expectRefused(rig, file(ADDRESS, MAC), "the machine is unknown");
});

test("what firmware loads first is for an unknown machine too, as long as it may make first contact", async () => {
  await using rig = await openGateRig();
  const first = (address: typeof ADDRESS, mac: string) =>
    rig.core.gate.files.admitFirst({ file: "ipxe.efi", address, neighbour: { mac } });
  await first(ADDRESS, MAC);
  await expectRefused(rig, first(OTHER_ADDRESS, OTHER_MAC), "was not leased by this server");
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  await first(OTHER_ADDRESS, OTHER_MAC);
  await expectRefused(rig, first(OTHER_ADDRESS, MAC), "another machine's");
  rig.time.now += 10 * MINUTE;
  await expectRefused(rig, first(OTHER_ADDRESS, OTHER_MAC), "the machine is unknown");
  await first(ADDRESS, MAC);
});

test("the disk is that of the installation that wrote it, for a host that is to boot it", async () => {
  await using rig = await openGateRig();
  const disk = () => rig.core.gate.files.diskOf({ file: "grub.efi", address: ADDRESS, neighbour: { mac: MAC } });
  await expectRefused(rig, disk(), "web01 does not boot its disk now");
  const id = await rig.arm();
  const apply = (event: "enrol" | "finish" | "report" | "cancel", on = id) =>
    rig.store.write(async (tx) => void (await rig.core.installations.apply(tx, on, event, { actor: "test" })));
  await apply("enrol");
  await expectRefused(rig, disk(), "web01 does not boot its disk now");
  await apply("finish");
  expect(await disk()).toBe(id);
  await apply("report");
  const other = await rig.arm();
  await apply("cancel", other); // it never wrote anything
  expect(await disk()).toBe(id);
});
