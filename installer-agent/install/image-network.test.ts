import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TargetRoot } from "../system/target-root.ts";
import { readImageNetwork, requireSystemd } from "./image-network.ts";

let root: TargetRoot;
beforeEach(async () => {
  root = new TargetRoot(await mkdtemp(join(tmpdir(), "hps-image-")));
});
afterEach(() => rm(root.path, { recursive: true }));

/** Makes files, with content after a colon, and links with a `>`. */
async function has(...things: readonly string[]): Promise<void> {
  for (const thing of things) {
    const [path = "", link] = thing.split(">");
    const [name = "", ...content] = path.split(":");
    await mkdir(dirname(join(root.path, name)), { recursive: true });
    if (link === undefined) await writeFile(join(root.path, name), content.join(":"));
    else await symlink(link, join(root.path, name));
  }
}

const WANTS = "etc/systemd/system/multi-user.target.wants";
const NETWORKD = "usr/lib/systemd/systemd-networkd";
const STARTS_NETWORKD = `${WANTS}/systemd-networkd.service>/lib/systemd/system/systemd-networkd.service`;
const IFUPDOWN = ["usr/sbin/ifup", "etc/network/interfaces:source /etc/network/interfaces.d/*\n"];

test("an image without systemd is refused", async () => {
  await expect(requireSystemd(root)).rejects.toThrow("no systemd");
  await has("lib/systemd/systemd");
  await requireSystemd(root);
});

test("what the image starts counts before what it has", async () => {
  await has(NETWORKD, STARTS_NETWORKD, "usr/sbin/NetworkManager", ...IFUPDOWN, "usr/sbin/dhclient");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ manager: "systemd-networkd", enable: false });
});

test("NetworkManager, then ifupdown where it can do what is asked, then systemd-networkd, which is switched on", async () => {
  await has(NETWORKD, ...IFUPDOWN);
  expect(await readImageNetwork(root, "dhcp")).toEqual({
    ...{ manager: "systemd-networkd", enable: true, resolver: "nobody", resolvLink: undefined },
  });
  expect(await readImageNetwork(root, "static")).toMatchObject({ manager: "ifupdown", resolver: "manager" });
  await has("usr/sbin/dhclient");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ manager: "ifupdown" });
  await has("etc/network/interfaces:auto lo\n");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ manager: "systemd-networkd" });
  await has("usr/sbin/NetworkManager");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ manager: "NetworkManager" });
});

test("who resolves names is told apart, and where resolv.conf leads", async () => {
  await has(NETWORKD, STARTS_NETWORKD, "usr/lib/systemd/systemd-resolved", "etc/resolv.conf>../run/x");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ resolver: "nobody", resolvLink: "../run/x" });
  await has("etc/systemd/system/sysinit.target.wants/systemd-resolved.service>/lib/x");
  expect(await readImageNetwork(root, "dhcp")).toMatchObject({ resolver: "resolved" });
});

test("an image that has nothing to configure its network with is refused", async () => {
  await expect(readImageNetwork(root, "static")).rejects.toThrow("nothing to configure its network with");
});
