import { expect } from "vitest";
import { VIRTUAL } from "../lab/artifacts.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { expectInstalled } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const MAC = "52:54:00:00:0b:01";
const SERVER = "10.77.0.1";
const ADDRESS = "10.77.0.30";
const OTHER = { name: "other01", address: "10.77.0.31" };
/** From power-on to the installed system's agent, and to its console. */
const INSTALL_SECONDS = 300;

type Mode = "static" | "dhcp";
const image = (...packages: readonly string[]) => [...VIRTUAL, ...packages.flatMap((name) => ["--package", name])];

/** Installs a host of this image, and looks at the network of the installed system, and at what it says on the wire. */
async function comesUp(words: readonly string[], manager: string, mode: Mode): Promise<void> {
  await using rack = await startInstallRack({ image: words, sets: [`boot.gateway=${SERVER}`] });
  const other = ["--mac", "52:54:00:00:0b:02", "--address", OTHER.address];
  expect((await rack.hpsctl("host", "add", OTHER.name, ...other)).code).toBe(0);
  await using vm = await rack.addMachine({
    name: "net01",
    firmware: "bios",
    disks: [{ bus: "virtio", bytes: 24 * GIB }],
    nics: [{ mac: MAC }],
    words: ["--address", ADDRESS],
    // When its disk can be started, the firmware says nothing on the network: whoever asks for an address then is the installed system.
    bootOrder: "disk-first",
  });
  const spoken = await install(rack, vm, mode);
  await expectInstalled(rack, "net01");
  await expectNetwork(rack, manager, mode);
  const asked = rack
    .printed()
    .slice(spoken)
    .split("\n")
    .filter((line) => /DHCP[A-Z]+\(/.test(line) && line.includes(MAC));
  if (mode === "static") expect(asked).toEqual([]);
  else expect(asked.join("\n")).toContain(`DHCPACK(br0) ${ADDRESS} ${MAC}`);
}

/** Answers with the place in what hpsd printed where the installed system begins. */
async function install(rack: InstallRack, vm: Vm, mode: Mode): Promise<number> {
  const installing = await rack.arm("net01", "--network", mode);
  const wait = await limit(INSTALL_SECONDS);
  await vm.powerOn();
  await installing.program.waitFor(/ -> rebooting /, wait);
  const spoken = rack.printed().length;
  expect(await installing.end(wait), `${installing.program.output()}\n${vm.console.tail(80)}`).toBe(0);
  await vm.console.waitFor(/net01 login:/, wait);
  return spoken;
}

async function expectNetwork(rack: InstallRack, manager: string, mode: Mode): Promise<void> {
  const inShell = async (command: string) => {
    const { code, stdout, stderr } = await rack.hpsctl("installer-shell", "net01", "--", "sh", "-c", command);
    expect(code, `${command}: ${stderr}`).toBe(0);
    return stdout.replaceAll("\r", "");
  };
  const units = "networking NetworkManager systemd-networkd";
  expect((await inShell(`systemctl is-active ${units} || true`)).trim().split("\n")).toEqual(
    units.split(" ").map((unit) => (unit === manager ? "active" : "inactive")),
  );
  const addresses = JSON.parse(await inShell("ip -json -4 address show scope global"));
  const found = addresses.flatMap((link: { addr_info: object[] }) => link.addr_info);
  expect(found).toMatchObject([{ local: ADDRESS, prefixlen: 24 }]);
  expect(found[0].dynamic ?? false).toBe(mode === "dhcp");
  expect(JSON.parse(await inShell("ip -json -4 route show default"))).toMatchObject([{ gateway: SERVER }]);
  // Without its domain too: of the names that hpsd's DNS has, this system's own hosts file has none.
  expect(await inShell(`getent ahostsv4 ${OTHER.name}`)).toContain(OTHER.address);
  expect(await inShell(`getent ahostsv4 ${OTHER.name}.lab.example.test`)).toContain(OTHER.address);
}

const IFUPDOWN = image("ifupdown", "isc-dhcp-client");
const NETWORK_MANAGER = image("network-manager");

scenario("static-networkd", () => comesUp(VIRTUAL, "systemd-networkd", "static"));
scenario("static-ifupdown", () => comesUp(IFUPDOWN, "networking", "static"));
scenario("static-networkmanager", () => comesUp(NETWORK_MANAGER, "NetworkManager", "static"));
scenario("dhcp-ifupdown", () => comesUp(IFUPDOWN, "networking", "dhcp"));
scenario("dhcp-networkmanager", () => comesUp(NETWORK_MANAGER, "NetworkManager", "dhcp"));
