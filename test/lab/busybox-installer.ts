import { chmod, copyFile, cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HpsdRack } from "./hpsd-rack.ts";
import { importInstallerFolder } from "./installer-folder.ts";
import { labFolder } from "./janitor.ts";
import { must } from "./run.ts";
import { padInitrd } from "./tiny-installer.ts";

/** What the shell shows when it waits for a command. */
export const BUSYBOX_PROMPT = /^busybox # /m;

const INIT = `#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
echo >/dev/ttyS0 # the firmware may have left the cursor anywhere
PS1='busybox # ' exec setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'
`;

/** Imports an installer that is this set with another initramfs: a static busybox, and its shell on the serial console. */
export async function importBusyboxInstaller(lab: Pick<HpsdRack, "hpsctl">, set: string): Promise<void> {
  const [folder, tree] = [await labFolder(), await labFolder()];
  await cp(set, folder, { recursive: true });
  for (const name of ["bin", "dev", "proc", "sys"]) await mkdir(join(tree, name));
  await copyFile("/bin/busybox", join(tree, "bin/busybox"));
  await symlink("busybox", join(tree, "bin/sh"));
  await writeFile(join(tree, "init"), INIT);
  await chmod(join(tree, "init"), 0o755);
  const initrd = join(folder, "initrd.img");
  await must(["sh", "-c", 'cd "$0" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -9 > "$1"', tree, initrd]);
  await padInitrd(initrd);
  await importInstallerFolder(lab, folder);
  for (const one of [folder, tree]) await rm(one, { recursive: true, force: true });
}
