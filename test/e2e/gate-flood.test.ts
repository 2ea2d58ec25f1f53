import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AuditOutcome } from "../../proto/gen/hps/v1/audit_pb.ts";
import { parseLeaseFile } from "../../server/services/dnsmasq/lease-file.ts";
import { armedHost } from "../lab/gate-steps.ts";
import { startHpsdRack } from "../lab/hpsd-rack.ts";
import { startProgram } from "../lab/program.ts";
import { must } from "../lab/run.ts";

const KNOWN = ["52:54:00:00:01:01", "52:54:00:00:01:02", "52:54:00:00:01:03"];
const program = (name: string) => [process.execPath, new URL(`../lab/${name}`, import.meta.url).pathname];

test("10 000 unknown MACs: known hosts boot meanwhile, store and address range stay bounded", async () => {
  await using lab = await startHpsdRack({ machines: [...KNOWN, "52:54:00:00:0f:01"] });
  for (const [index, mac] of KNOWN.entries()) {
    await armedHost(lab, { name: `web0${index}`, mac, address: `10.77.0.1${index}` });
  }
  const { ns } = lab.machine(3).client;
  await must(["ip", "addr", "add", "10.77.0.99/24", "dev", "eth0"], { ns });
  await must(["ip", "route", "add", "255.255.255.255", "dev", "eth0"], { ns });
  const addresses = await startProgram({ ns, argv: [...program("dhcp-flood.ts"), "10000"], readyLine: /flooding/ });
  const url = "http://10.77.0.1:7080/boot/v1/first-contact";
  const scripts = await startProgram({ ns, argv: [...program("boot-flood.ts"), url, "10000"] });
  for (const [index] of KNOWN.entries()) {
    const machine = lab.machine(index);
    expect(await machine.dhcp()).toBe(`10.77.0.1${index}`);
    expect((await machine.fetchClaim((await machine.ask()).body)).claim.host).not.toBe("");
  }
  const taken: unknown[] = Object.values(JSON.parse((await addresses.waitFor(/^\{.*\}$/m, 60_000))[0]));
  expect(taken).toHaveLength(20);
  const answered = JSON.parse((await scripts.waitFor(/^\{.*\}$/m, 120_000))[0]);
  expect(answered).toEqual({ "403": 10_000 });

  const leases = parseLeaseFile(await readFile(join(lab.folder, "state-dnsmasq", "leases"), "latin1"));
  expect(leases).toHaveLength(20 + KNOWN.length);
  const request = { outcome: AuditOutcome.REFUSED };
  let refusals = 0;
  for await (const _ of lab.hps.listAuditEvents(request)) refusals += 1;
  expect(refusals).toBeLessThan(1_200); // one each for the first 1 000, then a count
  const contacts: string[] = [];
  for await (const { mac } of lab.hps.listContacts()) contacts.push(mac);
  expect(contacts.length).toBeLessThanOrEqual(20);
  const sizes = ["hpsd.db", "hpsd.db-wal"].map(async (name) => (await stat(join(lab.folder, "state", name))).size);
  expect((await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)).toBeLessThan(32 * 1024 * 1024);
});
