import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled } from "../lab/power-cut.ts";
import { must } from "../lab/run.ts";
import { reserveGuests } from "../lab/vm/slots.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const DATA_BYTES = 64 * 1024 ** 2;
const NAMES = ["web01", "web02", "web03"] as const;
/** One line each: what must be no other machine's. */
const OWN =
  "hostname; cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub | cut -d' ' -f1,2; cat /var/lib/hps/machine-id";

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

async function inShell(host: string, command: string): Promise<string> {
  const { code, stdout, stderr } = await rack.hpsctl("installer-shell", host, "--", "sh", "-c", command);
  expect(code, stderr).toBe(0);
  return stdout;
}

scenario("three-hosts", async () => {
  await using slots = await reserveGuests(NAMES.length);
  await using stack = new AsyncDisposableStack();
  const installations = await Promise.all(
    NAMES.map(async (name, at) => {
      const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
      const nics = [{ mac: `52:54:00:00:09:0${at}` }];
      const vm = stack.use(await rack.addMachine({ name, slots, firmware: "bios", disks, nics }));
      const installation = await FollowedInstallation.arm(rack, vm);
      await vm.powerOn();
      return installation;
    }),
  );
  await Promise.all(installations.map((installation) => installation.succeeds()));
  const own: (readonly string[])[] = [];
  for (const name of NAMES) {
    await expectInstalled(rack, name);
    const [hostName, machineId, ...keys] = (await inShell(name, OWN)).trim().split(/\r?\n/);
    expect(hostName).toBe(name);
    expect(machineId).toMatch(/^[0-9a-f]{32}$/);
    expect(keys.pop()).toBe(machineId);
    expect(keys.length).toBeGreaterThan(0);
    const identity = `spiffe://lab.example.test/host/${(await rack.hps.hosts.getHost({ host: `lab/${name}` })).id}`;
    const { certificates } = await rack.hps.identity.listCertificates({ identity, validOnly: true });
    expect(certificates.length).toBeGreaterThan(0);
    own.push([hostName ?? "", machineId ?? "", ...keys, ...certificates.map(({ serial }) => serial)]);
  }
  const all = own.flat();
  expect(new Set(all).size).toBe(all.length);
});

scenario("two-disks", async () => {
  const file = join(rack.folder, "data-disk");
  await writeFile(file, randomBytes(DATA_BYTES));
  await must(["mkfs.ext4", "-q", "-F", file]);
  const before = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  await using vm = await rack.addMachine({
    name: "two01",
    firmware: "bios",
    disks: [
      { bus: "virtio", file, serial: "data" },
      { bus: "virtio", bytes: 24 * GIB, serial: "system" },
    ],
    nics: [{ mac: "52:54:00:00:09:11" }],
    bootOrder: "network-first",
  });
  const installation = await FollowedInstallation.arm(rack, vm, { disk: "serial=system" });
  await vm.powerOn();
  // The firmware starts the first disk and no other: that the system was written is what this is about.
  await installation.becomes(InstallationState.REBOOTING);
  await vm.cutPower();
  const after = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  expect(after).toBe(before);
  const table = await must(["sfdisk", "--json", vm.diskFile(1)]);
  expect(JSON.parse(table).partitiontable.id.toLowerCase()).toBe(installation.id);
});
