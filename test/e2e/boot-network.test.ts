import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BEACON_PATH, formatBeacon } from "../../proto/config/beacon.ts";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { Health } from "../../proto/gen/hps/v1/system_pb.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { runDhcpClient } from "../lab/dhcp-client.ts";
import { armedHost } from "../lab/gate-steps.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { lookup } from "../lab/lookup.ts";
import { must, run } from "../lab/run.ts";
import { importTinyInstaller } from "../lab/tiny-installer.ts";

const WEB = "52:54:00:00:01:01";
const DB = "52:54:00:00:02:01";
const HPSD = "10.77.0.1";

test("a host added while hpsd runs has its address and names at its next DISCOVER; a removed one loses them", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const client = lab.machine(0).client;
  expect(await client.dhcp()).toMatchObject({
    bound: true,
    lease: { address: expect.stringMatching(/^10\.77\.0\.1[01]\d$/) },
  });
  const host = { cluster: "lab", name: "web01", macs: [WEB], addresses: ["10.77.0.11"] };
  const { id } = await lab.hps.hosts.createHost({ host });
  await expect.poll(() => lookup(lab.rack, "web01.lab.example.test"), { timeout: 20_000 }).toBe("10.77.0.11");
  expect(await lookup(lab.rack, "10.77.0.11")).toBe("web01.lab.example.test");
  expect(await client.dhcp()).toMatchObject({ bound: true, lease: { address: "10.77.0.11", hostname: "web01" } });
  await lab.hps.hosts.deleteHost({ host: id });
  await expect.poll(() => lookup(lab.rack, "10.77.0.11"), { timeout: 20_000 }).toBeUndefined();
  expect(await client.dhcp()).toMatchObject({
    bound: true,
    lease: { address: expect.stringMatching(/^10\.77\.0\.1[01]\d$/) },
  });
});

/** What a machine gets by TFTP, as its digest; undefined when nothing comes. */
async function tftp(ns: string, name: string, from = HPSD): Promise<string | undefined> {
  const fetch = 'busybox tftp -g -r "$0" -l /dev/stdout "$1" | sha256sum; exit 0';
  const done = await run(["timeout", "15", "sh", "-c", fetch, name, from], { ns });
  const digest = done.stdout.slice(0, 64);
  return digest === EMPTY || digest === "" ? undefined : digest;
}

const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const digestOf = async (file: string) => (await must(["sha256sum", file])).slice(0, 64);

test("firmware gets the iPXE of the current installer by TFTP, and nothing else; a second interface gets nothing at all", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const { ns } = lab.machine(0).client;
  await lab.machine(0).dhcp();
  expect(await tftp(ns, "ipxe.efi")).toBeUndefined();
  await importTinyInstaller(lab);
  for (const name of ["ipxe.efi", "undionly.kpxe"]) {
    await expect.poll(() => tftp(ns, name), { timeout: 60_000 }).toBe(await digestOf(`/usr/lib/ipxe/${name}`));
  }
  for (const name of ["kernel", "../dnsmasq.conf", "/etc/passwd"]) expect(await tftp(ns, name)).toBeUndefined();

  const second = await secondInterface(lab);
  expect(await runDhcpClient(second, { tries: 2 })).toMatchObject({ bound: false });
  await must(["ip", "-n", second, "addr", "add", "10.88.0.9/24", "dev", "eth0"]);
  expect(await tftp(second, "ipxe.efi", "10.88.0.1")).toBeUndefined();
  const curl = await run(["curl", "-sS", "--max-time", "5", "http://10.88.0.1:7080/boot/v1/ipxe"], { ns: second });
  expect(curl.stderr).toMatch(/refused|Couldn't connect/i);
  const dns = await run(["busybox", "timeout", "8", "busybox", "nslookup", "hpsd.example.test", "10.88.0.1"], {
    ns: second,
  });
  expect(dns.stdout).not.toContain(HPSD);
  expect(lab.printed()).not.toContain("10.88.0.");
});

/** A network of hpsd's machine that is none of hpsd's; the namespace of a machine on it. */
async function secondInterface({ rack }: HpsdRack): Promise<string> {
  const { ns } = await rack.addClient("52:54:00:00:0e:01");
  const port = `p${rack.clients.length - 1}`;
  await must(["ip", "-n", rack.server.ns, "link", "set", port, "nomaster"]);
  await must(["ip", "-n", rack.server.ns, "addr", "add", "10.88.0.1/24", "dev", port]);
  return ns;
}

test("dnsmasq killed: it serves again, and the operator sees that it ended and why", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const status = async () => {
    const { components } = await lab.hps.system.getStatus({});
    return components.find(({ name }) => name === "dnsmasq") ?? expect.unreachable();
  };
  expect(await status()).toMatchObject({ health: Health.OK, reason: "" });
  const pid = Number(await readFile(join(lab.folder, "state-dnsmasq", "dnsmasq.pid"), "utf8"));
  process.kill(pid, "SIGKILL");
  await expect.poll(status, { timeout: 20_000 }).toMatchObject({
    health: Health.DEGRADED,
    reason: expect.stringMatching(/started again after .*ended by SIGKILL/),
  });
  expect(await lab.machine(0).client.dhcp({ tries: 10 })).toMatchObject({ bound: true });
  expect((await lab.hpsctl("status")).stdout).toMatch(/dnsmasq +degraded +.*ended by SIGKILL/);
  expect(lab.printed()).toMatch(/"level":50.*dnsmasq ended/);
});

test("the words of an installer that cannot attach are in the log of its installation, and change nothing", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, DB] });
  const id = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  await lab.machine(0).dhcp();
  await lab.machine(1).dhcp();
  const words = {
    mac: parseMac(WEB),
    step: "network",
    reason: "hpsd cannot be reached",
    log: "link eth0 up\n\u001b[31mred\n",
  };
  const post = async (index: number) => {
    const url = `http://${HPSD}:7080${BEACON_PATH}`;
    const argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", url];
    return await must(argv, { ns: lab.machine(index).client.ns, input: formatBeacon(words) });
  };
  expect(await post(0)).toBe("202");
  expect(await post(1)).toBe("403"); // another machine with its MAC
  const { stdout } = await lab.hpsctl("installation", "log", "web01");
  expect(stdout).toContain("unauthenticated word from 10.77.0.11: step network: hpsd cannot be reached");
  expect(stdout).toContain("link eth0 up");
  expect(stdout).not.toContain("\u001b");
  expect(await lab.hps.installations.getInstallation({ installation: id })).toMatchObject({
    state: InstallationState.ARMED,
  });
});
