import { expect, test } from "vitest";
import { readServerConfig } from "../../proto/config/server-config.ts";
import { bootFindings } from "./check-boot.ts";
import { findingLine } from "./finding.ts";

async function linesOf(boot: string): Promise<readonly string[]> {
  const text = `server: { names: [hpsd.example.org] }\n${boot}`;
  return (await bootFindings(readServerConfig({ text, file: "hpsd.yaml" }))).map(findingLine);
}

const section = (more: string) =>
  `boot: { interface: lo, address: 127.0.0.1, network: 127.0.0.0/8, port: 17080, ${more} }\n`;

test("no boot network, nothing to look at", async () => {
  expect(await linesOf("")).toEqual([]);
});

test("what the boot network needs, and that a proxy cannot answer UEFI's HTTP boot", async () => {
  const dhcp = await linesOf(section("mode: dhcp, range: { from: 127.0.0.10, to: 127.0.0.20 }"));
  expect(dhcp).toEqual([
    "ok       boot interface lo",
    "ok       boot address 127.0.0.1:17080",
    expect.stringMatching(/^ok {7}dnsmasq 2\./),
    "ok       firmware: BIOS and UEFI by PXE, UEFI by HTTP",
  ]);
  const proxy = await linesOf(section("mode: proxy"));
  expect(proxy.at(-1)).toMatch(/^note {5}firmware: BIOS and UEFI by PXE: UEFI's HTTP boot needs mode dhcp/);
});

test("an interface that is not there, and an address that is not its own", async () => {
  const other = section("mode: proxy").replace("address: 127.0.0.1,", "address: 127.0.0.9,");
  expect((await linesOf(other))[0]).toBe("problem  boot interface lo: it does not have the address 127.0.0.9");
  const missing = await linesOf(section("mode: proxy").replace("interface: lo", "interface: nope0"));
  expect(missing[0]).toMatch(/^problem {2}boot interface nope0: there is no such interface/);
  expect(missing).toHaveLength(3);
});
