import type { Rack } from "../rack.ts";
import { must } from "../run.ts";
import type { VmNic } from "./options.ts";

let made = 0;

/** Makes a tap device for each NIC in the rack's namespace, up, in its switch unless it leads nowhere. They stay while the machine is off. */
export async function plugIn(rack: Pick<Rack, "server">, nics: readonly VmNic[]): Promise<readonly string[]> {
  const { ns, nic: bridge } = rack.server;
  const taps: string[] = [];
  for (const nic of nics) {
    made += 1;
    const tap = `tap${made}`;
    await must(["ip", "-n", ns, "tuntap", "add", "dev", tap, "mode", "tap"]);
    taps.push(tap);
    if (nic.cable !== "nowhere") await must(["ip", "-n", ns, "link", "set", tap, "master", nic.bridge ?? bridge]);
    await must(["ip", "-n", ns, "link", "set", tap, "up"]);
  }
  return taps;
}

/** Removes them, if the rack is still there. */
export async function unplug(rack: Pick<Rack, "server">, taps: readonly string[]): Promise<void> {
  const { ns } = rack.server;
  const script = '[ -e "/run/netns/$0" ] || exit 0; for tap in "$@"; do ip -n "$0" link del "$tap"; done';
  await must(["sh", "-c", script, ns, ...taps]);
}
