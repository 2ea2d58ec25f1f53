import { setTimeout as sleep } from "node:timers/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { must } from "./run.ts";

const RELEASE_MS = 10_000;

/** The kernel lets a loop device go a little after its last user: until then another mount would get the same one, and what it remembers. */
export async function loopReleased(disk: string): Promise<void> {
  const end = performance.now() + RELEASE_MS;
  while ((await must(["losetup", "--associated", disk])) !== "") {
    if (performance.now() > end) throw new HpsError("deadline", `the loop devices of ${disk} are still in use`);
    await sleep(100);
  }
}
