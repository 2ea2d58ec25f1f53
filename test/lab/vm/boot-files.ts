import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { lockFile } from "../file-lock.ts";
import { must } from "../run.ts";

/** What the lab keeps between runs: everything in it can be made again. */
export const CACHE = process.env.HPS_LAB_CACHE ?? join(homedir(), ".cache", "hps-lab");

/** A Debian kernel as its package holds it. */
export interface GuestKernel {
  readonly version: string;
  readonly kernel: string;
  /** The folder that holds `lib/modules`. */
  readonly root: string;
}

const KERNEL = "linux-";
const PATIENCE_MS = 10 * 60_000;
/** What the small guest loads: the cards and disks of `options.ts`. */
const DRIVERS = ["virtio_net", "e1000", "e1000e", "virtio_blk", "nvme", "ahci", "sd_mod", "virtio_scsi", "virtio_pci"];
const MORE_DRIVERS = ["xhci_pci", "usb_storage", "af_packet", "ext4", "crc32c_generic"];

/** A kernel of this Debian, downloaded once: the newest then. */
export async function guestKernel(): Promise<GuestKernel> {
  await mkdir(CACHE, { recursive: true });
  await using _lock = await lockFile(join(CACHE, "kernel.lock"), PATIENCE_MS);
  const kept = (await readdir(CACHE)).find((name) => name.startsWith(KERNEL));
  const version = kept?.slice(KERNEL.length) ?? (await newestKernel());
  const root = join(CACHE, `${KERNEL}${version}`);
  if (kept === undefined) await download(`linux-image-${version}`, root);
  return { version, kernel: join(root, "boot", `vmlinuz-${version}`), root };
}

async function newestKernel(): Promise<string> {
  const ask =
    "apt-cache depends linux-image-amd64 2>/dev/null || { apt-get -q update >&2 && apt-cache depends linux-image-amd64; }";
  const text = await must(["sh", "-c", ask], { timeoutMs: PATIENCE_MS });
  const version = /Depends: linux-image-(\S+)/.exec(text)?.[1];
  if (version === undefined) {
    throw new HpsError(
      "precondition",
      `linux-image-amd64, whose kernel the lab's guests run, names no kernel: ${text}`,
    );
  }
  return version;
}

async function download(name: string, into: string): Promise<void> {
  const folder = await mkdtemp(join(CACHE, "download-"));
  try {
    const fetch = 'cd "$0" && apt-get -q -o APT::Sandbox::User=root download "$1" && dpkg-deb -x ./*.deb tree';
    await must(["sh", "-c", fetch, folder, name], { timeoutMs: PATIENCE_MS });
    await rename(join(folder, "tree"), into);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * An initramfs of busybox, the lab's drivers and this script, which runs as process 1 with /proc, /sys and /dev mounted and the drivers
 * loaded. `files` go in at their paths.
 */
export async function smallInitrd(
  file: string,
  script: string,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { version, root } = await guestKernel();
  const tree = await mkdtemp(`${file}.tree-`);
  try {
    for (const name of ["bin", "dev", "proc", "sys", "etc", "tmp"]) await mkdir(join(tree, name));
    await cp("/bin/busybox", join(tree, "bin", "busybox"));
    await cp("/bin/busybox", join(tree, "bin", "sh"));
    const modules = join("lib", "modules", version);
    await copyModules(join(root, modules), join(tree, modules));
    await must(["busybox", "depmod", "-b", tree, version]);
    await writeFile(join(tree, "init"), `${INIT}\n${script}\n`, { mode: 0o755 });
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), content, { mode: 0o755 });
    }
    await must(["sh", "-c", 'cd "$0" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1 > "$1"', tree, file]);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

const INIT = `#!/bin/sh
export PATH=/bin
/bin/busybox --install -s /bin
echo # the firmware may have left the cursor anywhere
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
modprobe -a ${[...DRIVERS, ...MORE_DRIVERS].join(" ")} 2>/dev/null`;

/** The drivers and what they need, without the thousand others. */
async function copyModules(from: string, to: string): Promise<void> {
  const all = new Map<string, string>();
  for (const path of await readdir(from, { recursive: true })) {
    const name = /([^/]+)\.ko$/.exec(path)?.[1];
    if (name !== undefined) all.set(name.replaceAll("-", "_"), path);
  }
  const wanted = [...DRIVERS, ...MORE_DRIVERS];
  const copied = new Set<string>();
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const path = all.get(name);
    if (path === undefined || copied.has(name)) continue;
    copied.add(name);
    const content = await readFile(join(from, path));
    await mkdir(dirname(join(to, path)), { recursive: true });
    await writeFile(join(to, path), content);
    wanted.push(...dependencies(content));
  }
  for (const name of ["modules.builtin", "modules.order"]) await cp(join(from, name), join(to, name));
}

/** What a module says it needs, in its `.modinfo`. */
function dependencies(module: Buffer): readonly string[] {
  const text = module.toString("latin1");
  const said = ["depends", "softdep"].flatMap((key) => {
    const found = new RegExp(`\\0${key}=([^\\0]*)`).exec(text)?.[1];
    return found === undefined ? [] : found.split(/[ ,]/);
  });
  return said.filter((name) => name !== "" && !name.endsWith(":")).map((name) => name.replaceAll("-", "_"));
}
