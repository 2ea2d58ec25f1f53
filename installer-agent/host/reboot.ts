import { HpsError } from "../../proto/values/hps-error.ts";
import type { Log } from "../log.ts";
import { networkEntry } from "../plan/boot-order.ts";
import { EFI_VARIABLES, readBootVariables, writeBootNext } from "../system/efi-variables.ts";
import { restartSystem } from "../system/power.ts";

/**
 * Restarts the machine, with `network` from the network this once. Refused where no firmware takes such a wish: a machine
 * that came up from its disk again would look as if the wish had been granted.
 */
export async function rebootHost(
  network: boolean,
  log: Log,
  { variables = EFI_VARIABLES, restart = restartSystem } = {},
): Promise<void> {
  if (network) await bootNextFromNetwork(variables);
  log.warn(`restarting at hpsd's word${network ? ", from the network" : ""}`);
  await restart((line) => log.info(line));
}

async function bootNextFromNetwork(folder: string): Promise<void> {
  const known = await readBootVariables(folder);
  if (known === undefined) throw cannot("this machine has a BIOS, which takes no such wish from a running system");
  const entry = networkEntry(known);
  if (entry === undefined) throw cannot("the firmware has no entry in its boot order that boots from a network");
  try {
    await writeBootNext(entry, folder);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
    throw cannot(`the firmware does not take it (${code})`, cause);
  }
}

function cannot(why: string, cause?: unknown): HpsError {
  return new HpsError("precondition", `cannot boot from the network: ${why}`, {
    hint: "somebody has to power-cycle it and let it boot from the network",
    cause,
  });
}
