import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseInterfaceName } from "../../proto/values/interface-name.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { ipxeClient, pxeClient } from "../lab/dhcp-client.ts";
import { labHost, labPlan, startDnsmasqRack } from "../lab/dnsmasq-rack.ts";
import { lookup } from "../lab/lookup.ts";
import { must } from "../lab/run.ts";

const WEB = "52:54:00:00:01:01";
const WEB_SECOND = "52:54:00:00:01:02";
const DB = "52:54:00:00:02:01";
const STRANGER = "52:54:00:00:0f:01";
const web = labHost("web01", [WEB, WEB_SECOND], "10.77.0.11");
const db = labHost("db01", [DB], "10.77.0.12");

test("a host gets its reserved address on each of its NICs, a stranger a short lease of the range", async () => {
  await using lab = await startDnsmasqRack([WEB, WEB_SECOND, STRANGER], labPlan([web]));
  const first = await lab.rack.client(0).dhcp();
  const own = { address: "10.77.0.11", hostname: "web01", domain: "example.test", seconds: 3600, dns: ["10.77.0.1"] };
  expect(first).toMatchObject({ bound: true, lease: { ...own, routers: [] } });
  expect(await lab.rack.client(1).dhcp()).toMatchObject({ bound: true, lease: own });
  const other = await lab.rack.client(2).dhcp({ hostname: "web01" });
  expect(other).toMatchObject({
    bound: true,
    lease: { address: expect.stringMatching(/^10\.77\.0\.1[01]\d$/), seconds: 120 },
  });
  await expect
    .poll(() => lab.events, { timeout: 10_000 })
    .toContainEqual(
      expect.objectContaining({ kind: "add", mac: STRANGER, client: expect.objectContaining({ hostname: "web01" }) }),
    );
});

test("a stolen client id or a wished-for address does not bring another's lease", async () => {
  await using lab = await startDnsmasqRack([WEB, STRANGER], labPlan([web]));
  await lab.rack.client(0).dhcp();
  const clientId = `01${WEB.replaceAll(":", "")}`;
  const thief = await lab.rack.client(1).dhcp({ clientId, requestAddress: "10.77.0.11" });
  expect(thief).toMatchObject({ bound: true, lease: { address: expect.stringMatching(/^10\.77\.0\.1[01]\d$/) } });
  expect(await lab.rack.client(0).dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.11" } });
});

test("each firmware is told what it can boot, iPXE the script's address", async () => {
  const plan = labPlan([web], { tftpRoot: "/usr/share" });
  await using lab = await startDnsmasqRack([WEB], plan);
  const client = lab.rack.client(0);
  const bios = await client.dhcp(pxeClient(0));
  expect(bios).toMatchObject({ bound: true, lease: { bootFile: "undionly.kpxe", nextServer: "10.77.0.1" } });
  for (const arch of [7, 9]) {
    expect(await client.dhcp(pxeClient(arch))).toMatchObject({ bound: true, lease: { bootFile: "ipxe.efi" } });
  }
  for (const arch of [0, 7]) {
    expect(await client.dhcp(ipxeClient(arch))).toMatchObject({ bound: true, lease: { bootFile: plan.ipxeUrl } });
  }
  const userClass = { ...pxeClient(0), options: { 93: "0000", 77: Buffer.from("iPXE").toString("hex") } };
  expect(await client.dhcp(userClass)).toMatchObject({ bound: true, lease: { bootFile: plan.ipxeUrl } });
});

test("hostile words arrive as they were said and change nothing", async () => {
  await using lab = await startDnsmasqRack([STRANGER], labPlan([web]));
  const vendorClass = `$(touch ${lab.folder}/owned)\`id\`"';\nadd\u001b[31m`;
  await lab.rack.client(0).dhcp({ vendorClass, hostname: "hps" });
  await expect
    .poll(() => lab.events, { timeout: 10_000 })
    .toContainEqual(
      expect.objectContaining({ kind: "add", mac: STRANGER, client: expect.objectContaining({ vendorClass }) }),
    );
  await expect(readFile(join(lab.folder, "owned"))).rejects.toThrow(/ENOENT/);
  expect(await lookup(lab.rack, "hps")).toBeUndefined();
});

test("hosts added, renamed and removed while it runs: address, names, reverse and lease follow", async () => {
  await using lab = await startDnsmasqRack([WEB, DB], labPlan([web]));
  const client = lab.rack.client(1);
  expect(await client.dhcp()).toMatchObject({ bound: true, lease: { seconds: 120 } });
  const pid = runningPid(lab.dnsmasq.state());

  await lab.dnsmasq.update(labPlan([web, db]));
  expect(await client.dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.12", hostname: "db01" } });
  expect(await lookup(lab.rack, "db01.example.test")).toBe("10.77.0.12");
  expect(await lookup(lab.rack, "10.77.0.12")).toBe("db01.example.test");

  await lab.dnsmasq.update(labPlan([web, labHost("db02", [DB], "10.77.0.12")]));
  expect(await client.dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.12", hostname: "db02" } });
  expect(await lookup(lab.rack, "db01.example.test")).toBeUndefined();
  expect(await lookup(lab.rack, "10.77.0.12")).toBe("db02.example.test");
  expect(runningPid(lab.dnsmasq.state())).toBe(pid); // no restart for any of this

  await lab.dnsmasq.update(labPlan([web]));
  expect(lab.events.at(-1)).toMatchObject({ kind: "del", mac: DB, address: "10.77.0.12" });
  expect(await lookup(lab.rack, "db02.example.test")).toBeUndefined();
  expect(await lookup(lab.rack, "10.77.0.12")).toBeUndefined();
  const after = await client.dhcp({ requestAddress: "10.77.0.12" });
  expect(after).toMatchObject({
    bound: true,
    lease: { address: expect.stringMatching(/^10\.77\.0\.1[01]\d$/), seconds: 120 },
  });
});

test("strangers get no answer where the plan says so; the address of a removed host can be given to another", async () => {
  const quiet = { ...labPlan([]).dhcp, mode: "server", unknown: "ignore", hostLeaseSeconds: 3600 } as const;
  await using lab = await startDnsmasqRack([WEB, DB], labPlan([web], { dhcp: quiet }));
  expect(await lab.rack.client(1).dhcp({ tries: 2 })).toMatchObject({ bound: false });
  expect(await lab.rack.client(0).dhcp()).toMatchObject({ bound: true });
  await lab.dnsmasq.update(labPlan([labHost("db01", [DB], "10.77.0.11")], { dhcp: quiet }));
  expect(await lab.rack.client(1).dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.11" } });
  expect(await lab.rack.client(0).dhcp({ tries: 2 })).toMatchObject({ bound: false });
});

test("a plan that cannot be is refused and the old one stays", async () => {
  await using lab = await startDnsmasqRack([WEB], labPlan([web]));
  const clash = labHost("db01", [DB], "10.77.0.105");
  await expect(lab.dnsmasq.update(labPlan([web, clash]))).rejects.toThrow(/dynamic range/);
  expect(await lab.rack.client(0).dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.11" } });
});

test("killed, it comes back with its leases; a new start tells of them and ends an orphan", async () => {
  await using lab = await startDnsmasqRack([STRANGER], labPlan([web]));
  const got = await lab.rack.client(0).dhcp();
  const address = got.bound ? got.lease.address : "";
  process.kill(runningPid(lab.dnsmasq.state()), "SIGKILL");
  await expect.poll(() => lab.dnsmasq.state(), { timeout: 20_000 }).toMatchObject({ status: "running", restarts: 1 });
  expect(await lab.rack.client(0).dhcp()).toMatchObject({ bound: true, lease: { address } });
  await lab.dnsmasq.stop();

  const paths = ["--keep-in-foreground", `--conf-file=${join(lab.folder, "state", "dnsmasq.conf")}`];
  // It reads its files when it is past its start: until then, also a moment after it said `started`, it ends by SIGTERM with code 5.
  const orphan = await lab.rack.start({ argv: ["dnsmasq", ...paths], readyLine: /: read / });
  const { startDnsmasq } = await import("../../server/services/dnsmasq/start-dnsmasq.ts");
  const told: unknown[] = [];
  const again = await startDnsmasq({
    plan: labPlan([web]),
    stateDir: join(lab.folder, "state"),
    program: join(lab.folder, "dnsmasq"),
    onLease: (event) => told.push(event),
    onState: () => undefined,
    log: () => undefined,
  });
  try {
    expect(told[0]).toMatchObject({ kind: "old", mac: parseMac(STRANGER), address });
    expect((await stat(join(lab.folder, "state", "lease-pipe"))).mode & 0o777).toBe(0o600);
    expect(await orphan.ended).toBe(0);
  } finally {
    await again.stop();
  }
});

test("one that cannot start says why, at once and in its own words", async () => {
  const broken = { ...labPlan([web]), interface: parseInterfaceName("nope0") };
  const refused = await startDnsmasqRack([], broken).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "unavailable", hint: expect.stringContaining("unknown interface nope0") });
});

test("it serves its one interface and nothing else", async () => {
  await using lab = await startDnsmasqRack([WEB], labPlan([web]));
  const listening = await must(["ss", "-H", "-lnup"], { ns: lab.rack.server.ns });
  const places = listening
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(/\s+/)[3]);
  expect(places.toSorted()).toEqual(["0.0.0.0%br0:67", "10.77.0.1:53"]);
});

function runningPid(state: unknown): number {
  expect(state).toMatchObject({ status: "running" });
  return (state as { pid: number }).pid; // the line above has seen that it is there
}
