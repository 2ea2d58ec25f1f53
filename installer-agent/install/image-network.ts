import { HpsError } from "../../proto/values/hps-error.ts";
import type { ImageNetwork } from "../plan/network-files.ts";
import type { TargetRoot } from "../system/target-root.ts";

const WANTS = "etc/systemd/system/multi-user.target.wants";
const LEASING = ["dhclient", "dhcpcd", "udhcpc"];

const program = (root: TargetRoot, name: string) =>
  root.has(...["usr/sbin", "sbin", "usr/bin", "bin"].map((f) => `${f}/${name}`));
const systemdHas = (root: TargetRoot, name: string) => root.has(`usr/lib/systemd/${name}`, `lib/systemd/${name}`);

/** Refuses an image whose first program is not systemd: what HPS puts in a system is started by it. */
export async function requireSystemd(root: TargetRoot): Promise<void> {
  if (await systemdHas(root, "systemd")) return;
  throw new HpsError("precondition", "the image has no systemd, which starts the host agent and the network", {
    hint: "install systemd and systemd-sysv into the image",
  });
}

/**
 * What the image configures its network with: what it starts already, else what it has. ifupdown counts only when it can
 * do what is asked: it needs another program for a lease.
 */
export async function readImageNetwork(root: TargetRoot, mode: "dhcp" | "static"): Promise<ImageNetwork> {
  const starts = await root.has(`${WANTS}/systemd-networkd.service`);
  const resolvLink = await root.linkText("etc/resolv.conf");
  const networkd = async (): Promise<ImageNetwork> => {
    const resolver = (await startsResolved(root)) ? "resolved" : "nobody";
    return { manager: "systemd-networkd", enable: !starts, resolver, resolvLink };
  };
  if (starts) return networkd();
  const others = { enable: false, resolver: "manager", resolvLink } as const;
  if (await program(root, "NetworkManager")) return { manager: "NetworkManager", ...others };
  if (await isIfupdownAble(root, mode)) return { manager: "ifupdown", ...others };
  if (await systemdHas(root, "systemd-networkd")) return networkd();
  throw new HpsError("precondition", "the image has nothing to configure its network with", {
    hint: "install systemd-networkd, NetworkManager, or ifupdown with a DHCP client into the image",
  });
}

/** Its own link says that it is started; Debian's `systemd-resolved` makes one, and so does `systemctl enable`. */
async function startsResolved(root: TargetRoot): Promise<boolean> {
  return (
    (await systemdHas(root, "systemd-resolved")) &&
    (await root.has(
      `${WANTS}/systemd-resolved.service`,
      "etc/systemd/system/sysinit.target.wants/systemd-resolved.service",
    ))
  );
}

async function isIfupdownAble(root: TargetRoot, mode: "dhcp" | "static"): Promise<boolean> {
  if (!(await program(root, "ifup"))) return false;
  const reads = (await root.text("etc/network/interfaces"))?.includes("/etc/network/interfaces.d") === true;
  if (!reads) return false;
  if (mode === "static") return true;
  for (const name of LEASING) if (await program(root, name)) return true;
  return false;
}
