import { setTimeout as sleep } from "node:timers/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { readMounts, runsFromMemory } from "./mounts.ts";
import { runTool } from "./tool.ts";

const SYNC_MS = 120_000;
const COMMAND_MS = 30_000;
/** How long a machine may take to go down after it was told. */
const PATIENCE = 60_000;

/** Restarts a machine that runs from memory: nothing of it has to be ended in order. Throws when it goes on. */
export async function restartInstaller(log: (line: string) => void): Promise<void> {
  if (!runsFromMemory(await readMounts())) {
    throw new HpsError("precondition", "this machine does not run from memory and is not restarted by an installer");
  }
  const signal = new AbortController().signal;
  await runTool(["sync"], { signal, log, limitMs: SYNC_MS }).catch(() => undefined); // one disk that hangs must not hold it
  await runTool(["reboot", "-f"], { signal, log, limitMs: COMMAND_MS });
  await sleep(PATIENCE);
  throw new HpsError("deadline", "the machine was told to restart and did not", { hint: "power-cycle it" });
}

/** Restarts an installed system in order; resolves when its init has taken the order. */
export async function restartSystem(log: (line: string) => void): Promise<void> {
  const signal = new AbortController().signal;
  await runTool(["systemctl", "reboot"], { signal, log, limitMs: COMMAND_MS });
}
