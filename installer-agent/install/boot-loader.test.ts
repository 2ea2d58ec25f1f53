import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { espVolumeId, fileSystemId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { parseBootEnvironment } from "../plan/boot-environment.ts";
import { TargetRoot } from "../system/target-root.ts";
import { commitSlot, espOf, findKernel, writeBiosLoader, writeEspFiles, writeSlotConfig } from "./boot-loader.ts";

const installation = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const commandLine = "initrd=initrd.img quiet console=tty0 console=ttyS1,57600n8 hps.claim=x";

let folder: string;
let root: TargetRoot;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-loader-"));
  await mkdir(join(folder, "boot/efi"), { recursive: true });
  root = new TargetRoot(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const loader = Buffer.from("grub");
const environment = async (copy: string) => parseBootEnvironment(await readFile(join(folder, "boot/efi/hps", copy)));

test("the kernel is found by the image's link among the regular files of /boot, and slot.cfg starts it", async () => {
  for (const version of ["6.1", "6.2"]) {
    for (const name of ["vmlinuz", "initrd.img"]) await writeFile(join(folder, `boot/${name}-${version}`), "");
  }
  await symlink("/etc/shadow", join(folder, "boot/vmlinuz-9.9"));
  await writeFile(join(folder, "boot/initrd.img-9.9"), "");
  await symlink("boot/vmlinuz-6.1", join(folder, "vmlinuz"));
  const kernel = await findKernel(root);
  expect(kernel).toMatchObject({ kernel: "vmlinuz-6.1", initrd: "initrd.img-6.1" });
  await writeSlotConfig(root, kernel, { installation, commandLine });
  const uuid = fileSystemId(installation, "root-a");
  expect(await readFile(join(folder, "boot/slot.cfg"), "utf8")).toContain(
    `linux '/vmlinuz-6.1' 'root=UUID=${uuid}' 'ro' 'hps.slot=a' 'console=tty0' 'console=ttyS1,57600n8'; then`,
  );
});

test("the ESP holds GRUB twice and an environment that starts nothing, until the last step makes it slot a", async () => {
  const esp = espOf(folder);
  for (let round = 0; round < 2; round += 1) {
    await writeEspFiles(esp, { installation, commandLine, loader });
    for (const copy of ["env.1", "env.2"]) expect(await environment(copy)).toEqual({ slot: "none" });
    await commitSlot(esp);
    for (const copy of ["env.1", "env.2"]) expect(await environment(copy)).toEqual({ slot: "a" });
  }
  for (const path of ["EFI/hps/grubx64.efi", "EFI/BOOT/BOOTX64.EFI"]) {
    expect(await readFile(join(esp.path, path))).toEqual(loader);
  }
  const text = await readFile(join(esp.path, "hps/grub.cfg"), "utf8");
  expect(text).toContain(`hps_start a '${fileSystemId(installation, "boot-a")}'`);
  expect(text).toContain("serial --unit=1 --speed=57600");
  expect(espVolumeId(installation)).toMatch(/^[0-9A-F]{4}-[0-9A-F]{4}$/);
});

test("an environment that is not there is not made by the commit, for then GRUB is not there either", async () => {
  await expect(commitSlot(espOf(folder))).rejects.toThrow();
  await mkdir(join(folder, "boot/efi/hps"));
  await writeFile(join(folder, "boot/efi/hps/env.1"), "short");
  await expect(commitSlot(espOf(folder))).rejects.toThrow("not of 1024 bytes");
});

test("the boot record is written into the first sector alone, core.img to the start of its partition", async () => {
  const core = Buffer.alloc(1024, 1);
  core.writeUInt16LE(1, 0x1fc);
  await writeFile(join(folder, "boot.img"), Buffer.alloc(512, 2));
  await writeFile(join(folder, "core.img"), core);
  const [disk, partition] = [join(folder, "disk"), join(folder, "partition")];
  await writeFile(disk, Buffer.alloc(2048, 7));
  await writeFile(partition, Buffer.alloc(2048, 7));
  const place = { number: 2, startBytes: 4096, bytes: 2048 };
  await writeBiosLoader({ images: folder, disk, partition, place, sectorBytes: 512 });
  const [written, half] = [await readFile(disk), await readFile(partition)];
  expect(written.readBigUInt64LE(0x5c)).toBe(8n);
  expect([written[0], written[0x1b8], written[512], written.length]).toEqual([2, 7, 7, 2048]);
  expect(half.readBigUInt64LE(0x1f4)).toBe(9n);
  expect([half[0], half[1024], half.length]).toEqual([1, 7, 2048]);
});
