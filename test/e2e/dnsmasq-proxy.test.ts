import { expect, test } from "vitest";
import { ipxeClient, pxeClient } from "../lab/dhcp-client.ts";
import { decodeReply } from "../lab/dhcp-packet.ts";
import { labHost, labPlan, startDnsmasqRack } from "../lab/dnsmasq-rack.ts";
import { startProgram } from "../lab/program.ts";
import { must } from "../lab/run.ts";

const WEB = "52:54:00:00:01:01";
const ASK = new URL("../lab/dhcp-ask.ts", import.meta.url).pathname;

test("beside another DHCP server it gives no address, tells PXE clients what to boot, and reports them", async () => {
  const plan = labPlan([labHost("web01", [WEB], "10.77.0.11")], { dhcp: { mode: "proxy" }, tftpRoot: "/usr/share" });
  await using lab = await startDnsmasqRack([WEB], plan);
  const client = lab.rack.client(0);
  expect(await client.dhcp({ tries: 2 })).toMatchObject({ bound: false });
  expect(lab.events).toEqual([]);

  await must(["ip", "addr", "add", "10.77.0.200/24", "dev", "eth0"], { ns: client.ns });
  await must(["ip", "route", "add", "255.255.255.255", "dev", "eth0"], { ns: client.ns });
  const ask = async (say: { vendorClass?: string; options?: Readonly<Record<number, string>> }) => {
    const options = { ...say.options, 60: Buffer.from(say.vendorClass ?? "").toString("hex") };
    const asked = await startProgram({ ns: client.ns, argv: [process.execPath, ASK, WEB, JSON.stringify(options)] });
    const bytes = Buffer.from((await asked.waitFor(/^[0-9a-f]+$/m, 20_000))[0], "hex");
    await asked.ended;
    return { reply: decodeReply(bytes), file: bytes.subarray(108, 236).toString("latin1").replace(/\0.*$/s, "") };
  };
  const bios = await ask(pxeClient(0));
  expect(bios.reply).toMatchObject({ type: 2, yourAddress: "0.0.0.0" });
  expect(bios.reply?.options.get(60)?.toString()).toBe("PXEClient");
  expect(bios.reply?.options.get(43)?.toString("latin1")).toContain("HPS"); // the boot menu of PXE 2.1, of one entry
  expect((await ask(ipxeClient(0))).file).toBe(plan.ipxeUrl);
  await expect.poll(() => lab.events).toContainEqual({ kind: "pxe", mac: WEB, seenAt: expect.any(Number) });
});
