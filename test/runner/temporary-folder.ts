/** The unit tests' temporary files, in memory where there is a place for it: they try no disk, and wait for none. */
import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const MEMORY = "/dev/shm";

/** The stores that a process keeps until it ends. */
const KEPT = "hps-kept-";

let folder = "";

export function setup(): void {
  folder = mkdtempSync(path.join(place(), "hps-test-"));
  process.env.TMPDIR = folder;
}

/** Fails the run when a test did not clean up after itself. */
export function teardown(): void {
  const left = readdirSync(folder).filter((name) => name.startsWith("hps-") && !name.startsWith(KEPT));
  rmSync(folder, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`tests left ${left.length} temporary folders: ${left.slice(0, 10).join(" ")}`);
}

function place(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    return MEMORY;
  } catch {
    return tmpdir();
  }
}
