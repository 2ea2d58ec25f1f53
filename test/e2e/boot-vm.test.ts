import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { AuditOutcome } from "../../proto/gen/hps/v1/audit_pb.ts";
import { espVolumeId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { filesAsked, routesAsked } from "../lab/boot-asks.ts";
import { BOOTABLE_BYTES, diskSays, makeBootable } from "../lab/bootable-disk.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { startProgram } from "../lab/program.ts";
import { must } from "../lab/run.ts";
import { importTinyInstaller } from "../lab/tiny-installer.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { VmOptions } from "../lab/vm/options.ts";
import { createVm, type Vm } from "../lab/vm/vm.ts";

const MAC = "52:54:00:00:01:01";
const OTHER_MAC = "52:54:00:00:01:02";
const UP = /^the tiny installer is up\s/m;
const PATIENCE = { timeout: 900_000 };

/** Without OVMF's own PXE it boots by HTTP. */
const HTTP_ALONE = ["4", "6"].flatMap((ip) => ["-fw_cfg", `name=opt/org.tianocore/IPv${ip}PXESupport,string=n`]);

async function machine(lab: HpsdRack, options: Omit<VmOptions, "rack">): Promise<Vm> {
  return await createVm({
    ...{ rack: lab.rack, memory: 512, disks: [{ bus: "virtio", bytes: BOOTABLE_BYTES }], nics: [{ mac: MAC }] },
    ...options,
  });
}

async function addHost({ hps }: HpsdRack): Promise<void> {
  await hps.hosts.createHost({ host: { cluster: "lab", name: "web01", macs: [MAC], addresses: ["10.77.0.11"] } });
}

async function armed(lab: HpsdRack): Promise<string> {
  await addHost(lab);
  return (await lab.hps.hosts.armHost({ host: "lab/web01" })).id;
}

/** The installation has written the disk and restarts the machine, as hpsd sees it. */
function finish(lab: HpsdRack, id: string): void {
  const store = new Database(`${lab.folder}/state/hpsd.db`, { timeout: 10_000 });
  try {
    store.prepare("UPDATE installation SET state = 'rebooting' WHERE id = ?").run(id);
  } finally {
    store.close();
  }
}

test.each(["bios", "uefi"] as const)(
  "%s: an unknown machine gets the first-contact menu and nothing else, a refused one its incident, an armed one the installer, an installed one its disk",
  PATIENCE,
  async (firmware) => {
    await using lab = await startHpsdRack({ machines: [] });
    await importTinyInstaller(lab);
    await using vm = await machine(lab, { firmware });
    await vm.powerOn();
    await vm.console.waitFor(/^HPS does not know this machine\./m, await limit(30));
    await vm.console.waitFor(new RegExp(`^MAC ${MAC} IP 10\\.77\\.0\\.1[01]\\d\\s`, "m"), await limit(1));
    const { contacts } = await lab.hps.hosts.listContacts({});
    expect(contacts).toMatchObject([{ mac: MAC }]);
    expect(filesAsked(lab)).toEqual([]);

    // A NIC of a machine without an IPv6 router: a dot a second, of which there were eighteen.
    const dots = /Configuring \(net0 [0-9a-f:]+\)(\.+) ok/.exec(vm.console.text())?.[1] ?? expect.unreachable();
    expect(dots.length).toBeLessThan(15);

    await addHost(lab);
    const told = await vm.console.waitFor(
      /^HPS refused this machine: web01 is not armed\s+Incident (\S+)\s/m,
      await limit(20),
    );
    const [refused] = (await lab.hps.audit.listAuditEvents({ outcome: AuditOutcome.REFUSED, incident: told[1] ?? "" }))
      .events;
    expect(refused).toMatchObject({ action: "boot.script", actor: `mac:${MAC}`, reason: "web01 is not armed" });
    expect(routesAsked(lab)).not.toContain("/boot/v1/files/");

    const { id } = await lab.hps.hosts.armHost({ host: "lab/web01" });
    const second = vm.console.mark();
    await vm.reset();
    await vm.console.waitFor(UP, await limit(45), second);
    const said = vm.console.text().slice(second);
    expect(said).toContain(`claim: 600 0 "installation":"${id}"`);
    expect(said).toContain(`booted by ${firmware}\n`);
    expect(said).toMatch(
      /^kernel line: .*hps\.boot=http:\/\/10\.77\.0\.1:7080 hps\.mac=52:54:00:00:01:01 console=tty0 console=ttyS0,115200n8/m,
    );

    await vm.cutPower();
    await makeBootable({ file: vm.diskFile(0), name: "web01", espVolume: espVolumeId(parseUuid(id)) });
    finish(lab, id);
    const third = await vm.powerOn();
    await vm.console.waitFor(/^HPS: web01 boots its disk\s/m, await limit(30), third);
    await vm.console.waitFor(new RegExp(`^${diskSays("web01")}`, "m"), await limit(8), third);
  },
);

test("uefi: by HTTP", PATIENCE, async () => {
  await using lab = await startHpsdRack({ machines: [] });
  await importTinyInstaller(lab);
  await armed(lab);
  await using vm = await machine(lab, { firmware: "uefi", more: HTTP_ALONE });
  await vm.powerOn();
  await vm.console.waitFor(
    /Start HTTP Boot over IPv4[\s\S]*URI: http:\/\/10\.77\.0\.1:7080\/boot\/v1\/files\/ipxe\.efi/,
    await limit(30),
  );
  await vm.console.waitFor(UP, await limit(45));
});

const LONE = [{ mac: MAC }];
const SECOND = [{ mac: OTHER_MAC, cable: "dead" }, ...LONE] as const;

test.each([
  ["bios", "by the second of two cards where the first has no cable", SECOND],
  ["uefi", "by its only card", LONE],
] as const)("%s: beside another DHCP server, %s", PATIENCE, async (firmware, _, nics) => {
  await using lab = await startHpsdRack({ machines: [], mode: "proxy" });
  await importTinyInstaller(lab);
  await armed(lab);
  await foreignDhcp(lab);
  await using vm = await machine(lab, { firmware, nics });
  await vm.powerOn();
  await vm.console.waitFor(UP, await limit(60));
  expect(vm.console.text()).toMatch(/^net\d: 10\.77\.0\.5\d\//m); // the other server's
  expect(vm.console.text()).toContain(`hps.mac=${MAC} `);
});

/** Another DHCP server on the wire, which knows nothing of booting. */
async function foreignDhcp({ rack }: HpsdRack): Promise<void> {
  const { ns, nic } = await rack.addClient("52:54:00:00:0d:01");
  await must(["ip", "addr", "add", "10.77.0.2/24", "dev", nic], { ns });
  const how = ["-k", "--conf-file=/dev/null", "--port=0", `--interface=${nic}`, "--bind-interfaces", "--no-ping"];
  const files = ["--leasefile-ro", "--log-facility=-", "--user=root", "--pid-file="];
  const range = "--dhcp-range=10.77.0.50,10.77.0.59,255.255.255.0,2m";
  await startProgram({ ns, argv: ["dnsmasq", ...how, ...files, range], readyLine: /bound exclusively/ });
}
