import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A tree that looks like an installed Debian, made in `folder`; its root. */
export function makeDebianTree(folder: string): string {
  const root = join(folder, "tree");
  for (const path of ["boot", "usr/sbin", "etc"]) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, "boot/vmlinuz-6.1.0-1-amd64"), "kernel");
  writeFileSync(join(root, "boot/initrd.img-6.1.0-1-amd64"), "initrd");
  writeFileSync(join(root, "usr/sbin/init"), "x".repeat(600_000), { mode: 0o755 });
  symlinkSync("usr/sbin", join(root, "sbin"));
  writeFileSync(join(root, "etc/os-release"), 'PRETTY_NAME="Test OS 12"\n');
  return root;
}
