import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** Where a file system of so many MiB is mounted, unmounted when the test is over. */
export function smallDisk(mib: number): string {
  const at = mkdtempSync(path.join(tmpdir(), "hps-fault-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "hps-fault-test", at]);
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", at]);
    rmdirSync(at);
  });
  return at;
}
