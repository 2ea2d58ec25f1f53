import { afterAll, beforeAll, expect } from "vitest";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled } from "../lab/power-cut.ts";
import { reserveGuests } from "../lab/vm/slots.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
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
