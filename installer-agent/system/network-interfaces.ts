import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Facts } from "../../proto/values/facts.ts";
import { parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { listSysfs, readSysfsNumber, readSysfsText } from "./sysfs.ts";

type Interface = Facts["interfaces"][number];

const MOST = 64;

/** Interfaces with a device behind them; in a container, which has none, all but the loopback. */
export async function readInterfaces(sys: string): Promise<Interface[]> {
  const names = await listSysfs(join(sys, "class/net"));
  const read = await Promise.all(names.map((name) => readInterface(name, join(sys, "class/net", name))));
  const found = read.filter((one) => one !== undefined);
  const real = found.filter(({ hasDevice }) => hasDevice);
  return (real.length > 0 ? real : found).slice(0, MOST).map(({ facts }) => facts);
}

async function readInterface(name: string, folder: string) {
  const mac = macOf(await readSysfsText(join(folder, "address")));
  if (mac === undefined || name === "lo" || !/^[!-~]{1,64}$/.test(name)) return undefined;
  const speed = (await readSysfsNumber(join(folder, "speed"))) ?? -1;
  const addresses = addressesOf(name);
  const facts: Interface = {
    name,
    mac,
    up: (await readSysfsText(join(folder, "operstate"))) === "up",
    ...(speed >= 0 && speed <= 10_000_000 && { speedMbps: speed }),
    ...(addresses.length > 0 && { addresses }),
  };
  return { facts, hasDevice: (await listSysfs(join(folder, "device"))).length > 0 };
}

function macOf(text: string | undefined): Mac | undefined {
  try {
    return text === undefined ? undefined : parseMac(text);
  } catch {
    return undefined; // InfiniBand and tunnels have addresses that are no MACs
  }
}

function addressesOf(name: string) {
  return (networkInterfaces()[name] ?? [])
    .slice(0, 16)
    .map(({ address }) => parseIpAddress(address.replace(/%.*/, "")));
}
