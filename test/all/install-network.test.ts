import { expect } from "vitest";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { FOREIGN_ADDRESSES, startForeignDhcp } from "../lab/foreign-dhcp.ts";
import { startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled, plainMachine } from "../lab/power-cut.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
/** Without OVMF's own PXE it boots by HTTP. */
const HTTP_ALONE = ["4", "6"].flatMap((ip) => ["-fw_cfg", `name=opt/org.tianocore/IPv${ip}PXESupport,string=n`]);

scenario("proxy-dhcp", async () => {
  await using rack = await startInstallRack({ mode: "proxy" });
  const dhcp = await startForeignDhcp(rack.rack);
  await using vm = await plainMachine(rack, { name: "web01", mac: "52:54:00:00:08:01" });
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.succeeds();
  await expectInstalled(rack, "web01");
  expect(vm.console.text()).toContain(`net0: ${FOREIGN_ADDRESSES}`);
  await dhcp.stop();
});

scenario("http-boot", async () => {
  await using rack = await startInstallRack();
  await using vm = await rack.addMachine({
    name: "web01",
    firmware: "uefi",
    disks: [{ bus: "virtio", bytes: 24 * GIB }],
    nics: [{ mac: "52:54:00:00:08:02" }],
    more: HTTP_ALONE,
  });
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.succeeds();
  await expectInstalled(rack, "web01");
  expect(vm.console.text()).toMatch(/URI: http:\/\/10\.77\.0\.1:7080\/boot\/v1\/files\/ipxe\.efi/);
});
