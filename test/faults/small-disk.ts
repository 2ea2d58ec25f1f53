import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Where a file system of so many MiB is mounted, unmounted with the scope it was made in: make it before what lies there. */
export function smallDisk(mib: number): Disposable & { readonly path: string } {
  const at = mkdtempSync(path.join(tmpdir(), "hps-fault-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "hps-fault-test", at]);
  const remove = () => {
    execFileSync("umount", ["--lazy", at]);
    rmdirSync(at);
  };
  return { path: at, [Symbol.dispose]: remove };
}
