import { join } from "node:path";
import { expect } from "vitest";
import { espVolumeId, fileSystemId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { copyDisk, diskDigest } from "./disk-digest.ts";
import type { InstallRack } from "./install-rack.ts";
import { InstalledHost } from "./installed-host.ts";
import { must } from "./run.ts";
import type { BootOrder } from "./vm/options.ts";

const DISK_BYTES = 24 * 1024 ** 3;
/** The disks of a machine that has an older one beside that which is installed, by their place. */
export const OLDER = 0;
export const CHOSEN = 1;

export interface BesideOlder {
  readonly name: string;
  readonly firmware: "bios" | "uefi";
  readonly mac: string;
  /** As the firmware has the disks when the machine is installed. */
  readonly diskOrder: readonly number[];
  /** How it is started afterwards. */
  readonly starts: readonly { readonly bootOrder: BootOrder; readonly diskOrder: readonly number[] }[];
}

/**
 * Installs a machine that has a disk with an older system too, a copy of `older`: its own system comes up however it is
 * started, and nothing happens to that disk.
 */
export async function expectNewSystem(rack: InstallRack, older: string, machine: BesideOlder): Promise<void> {
  const { name, mac, starts, ...rest } = machine;
  const file = join(rack.folder, `${name}-older`);
  await copyDisk(older, file);
  const before = await diskDigest(file);
  const disks = [
    { bus: "virtio", file, serial: "older" },
    { bus: "virtio", bytes: DISK_BYTES, serial: "chosen" },
  ] as const;
  await using host = await InstalledHost.install(rack, {
    ...rest,
    ...{ name, disks, nics: [{ mac }], disk: "serial=chosen" },
  });
  await expectOwnSystem(host);
  for (const { bootOrder, diskOrder } of starts) {
    host.vm.change({ diskOrder });
    await host.restart(bootOrder);
    await expectOwnSystem(host);
  }
  await host.switchOff();
  expect(await diskDigest(file), "the older disk was written to").toBe(before);
  const table = await must(["sfdisk", "--json", host.vm.diskFile(CHOSEN)]);
  expect(JSON.parse(table).partitiontable.id.toLowerCase()).toBe(host.installation.id);
}

/** What runs is of this installation in each of its file systems. */
async function expectOwnSystem(host: InstalledHost): Promise<void> {
  const look = 'hostname; for place in / /boot /boot/efi /var/lib/hps; do findmnt -no UUID "$place"; done';
  const [hostName, ...found] = (await host.shell(look)).trim().split(/\r?\n/);
  const id = parseUuid(host.installation.id);
  const own = [fileSystemId(id, "root-a"), fileSystemId(id, "boot-a"), espVolumeId(id), fileSystemId(id, "state")];
  expect(hostName).toBe(host.vm.name);
  expect(found).toEqual(own);
}
