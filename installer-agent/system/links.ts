import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { type InterfaceName, parseInterfaceName } from "../../proto/values/interface-name.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { listSysfs, readSysfsNumber, readSysfsText } from "./sysfs.ts";

/** A network card's interface. */
export interface NetworkLink {
  readonly name: InterfaceName;
  readonly mac: Mac;
  /** The kernel's number of it. */
  readonly index: number;
}

const ETHERNET = 1;

/** All Ethernet interfaces with a device behind them, in the kernel's order. */
export async function listLinks(folder = "/sys/class/net"): Promise<readonly NetworkLink[]> {
  const names = await listSysfs(folder);
  const links = await Promise.all(names.map((name) => readLink(name, join(folder, name))));
  return links.filter((link) => link !== undefined).sort((a, b) => a.index - b.index);
}

async function readLink(name: string, folder: string): Promise<NetworkLink | undefined> {
  const [type, index, address] = await Promise.all([
    readSysfsNumber(join(folder, "type")),
    readSysfsNumber(join(folder, "ifindex")),
    readSysfsText(join(folder, "address")),
  ]);
  const device = await readlink(join(folder, "device")).catch(() => undefined);
  if (type !== ETHERNET || index === undefined || device === undefined) return undefined;
  try {
    return { name: parseInterfaceName(name), mac: parseMac(address ?? ""), index };
  } catch {
    return undefined;
  }
}

/** Whether a cable with something at its other end is there; undefined while the interface is down. */
export async function hasCarrier(name: InterfaceName, folder = "/sys/class/net"): Promise<boolean | undefined> {
  const carrier = await readSysfsNumber(join(folder, name, "carrier"));
  return carrier === undefined ? undefined : carrier === 1;
}

/** In megabits a second; undefined where the card does not say. */
export async function linkSpeed(name: InterfaceName, folder = "/sys/class/net"): Promise<number | undefined> {
  const speed = await readSysfsNumber(join(folder, name, "speed"));
  return speed !== undefined && speed > 0 ? speed : undefined;
}
