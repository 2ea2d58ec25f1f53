import { expect, test } from "vitest";
import { startHpsdRack } from "../lab/hpsd-rack.ts";
import { lookup } from "../lab/lookup.ts";

const WEB = "52:54:00:00:01:01";
const STRANGER = "52:54:00:00:0f:01";
const DYNAMIC = /^10\.77\.0\.1[01]\d$/;

test("first contact: an unknown machine is listed, added, gets its address; removed, it is a stranger again", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, STRANGER] });
  const machine = lab.machine(0);
  const stranger = lab.machine(1);
  expect(await machine.dhcp()).toMatch(DYNAMIC);
  expect(await lookup(lab.rack, "hpsd.example.test")).toBe("10.77.0.1");
  const menu = (await machine.ask()).body;
  expect(menu).toContain("HPS does not know this machine");
  const hostile = encodeURIComponent('ACME "; reboot \u001b[31m');
  const path = `/boot/v1/first-contact?mac=${WEB}&manufacturer=${hostile}&product=X1&serial=`;
  const answer = (await machine.ask({ path })).body;
  expect(answer).toBe(menu); // nothing of what it said
  const listed = await lab.hpsctl("host", "contacts", "-o", "json");
  const [contact, ...more] = JSON.parse(listed.stdout);
  expect(more).toEqual([]);
  expect(contact).toMatchObject({ mac: WEB, inventory: { manufacturer: 'ACME "; reboot \u001b[31m', product: "X1" } });
  const table = await lab.hpsctl("host", "contacts");
  expect(table.stdout).toContain(WEB);
  expect(table.stdout).not.toContain("\u001b[31m");

  expect((await lab.hpsctl("host", "add", "web01", "--mac", WEB, "--address", "10.77.0.11")).code).toBe(0);
  await expect.poll(() => machine.dhcp(), { timeout: 20_000 }).toBe("10.77.0.11");
  expect((await machine.ask({ agent: "curl/8" })).body).toContain(
    "web01 is known now and not armed yet. Asking again.",
  );
  expect((await machine.ask({ agent: "curl/8" })).body).toContain("web01 is not armed");
  expect(await stranger.dhcp({ requestAddress: "10.77.0.11" })).toMatch(DYNAMIC);
  expect((await lab.hpsctl("host", "contacts", "-o", "name")).stdout).not.toContain(WEB);

  expect((await lab.hpsctl("host", "rm", "web01", "--yes")).code).toBe(0);
  await expect.poll(() => machine.dhcp({ requestAddress: "10.77.0.11" }), { timeout: 20_000 }).toMatch(DYNAMIC);
  expect((await machine.ask()).body).toContain("HPS does not know this machine");
});
