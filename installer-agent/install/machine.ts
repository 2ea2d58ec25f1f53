import { setTimeout as sleep } from "node:timers/promises";
import type { Claim } from "../../proto/config/claim.ts";
import type { Facts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Log } from "../log.ts";
import { readFacts } from "../system/facts.ts";
import { machineLinks } from "../system/link-effects.ts";
import { listLinks } from "../system/links.ts";
import { firmwareTeller } from "./firmware-teller.ts";
import type { Situation } from "./situation.ts";
import { Uplinks } from "./uplinks.ts";

/** The machine once hpsd can be reached from it. */
export interface Machine {
  readonly facts: Facts;
  /** Its network cards, a line each. */
  readonly links: () => Promise<readonly string[]>;
}

export interface MachineOptions {
  readonly claim: Pick<Claim, "https">;
  readonly situation: Situation;
  readonly log: Log;
}

/** Drivers may take so long to find a network card. */
const CARD_MS = 60_000;
const LOOK_MS = 500;
/** How often it is said why there is no network yet. */
const REPORT_MS = 15_000;

/** Brings the network up and keeps it up until the signal; resolves when hpsd answers. It says why for as long as it does not. */
export async function startMachine({ claim, situation, log }: MachineOptions, signal: AbortSignal): Promise<Machine> {
  situation.change({ doing: "network" });
  const effects = await machineLinks(new URL(claim.https), log, signal);
  const uplinks = new Uplinks(effects, log);
  void uplinks.run(signal);
  const tellFirmware = firmwareTeller(log);
  let isReached = false;
  const reached = uplinks.reached.then(() => {
    isReached = true;
  });
  while (!isReached) {
    await Promise.race([reached, sleep(REPORT_MS, undefined, { signal })]);
    tellFirmware();
    if (isReached) break;
    const lines = await uplinks.report();
    situation.change({ problem: `hpsd at ${claim.https} cannot be reached: ${lines.join("; ")}` });
    for (const line of lines) log.warn(line);
  }
  situation.change({ problem: "" });
  return { facts: await readFacts(), links: () => uplinks.report() };
}

/** Waits until there is a network card, without which nothing can be said of this machine, nor to anyone. Drivers may take a while to find one. */
export async function waitForCard(log: Log, signal: AbortSignal): Promise<void> {
  const end = performance.now() + CARD_MS;
  while ((await listLinks()).length === 0) {
    if (performance.now() > end) {
      firmwareTeller(log)();
      throw new HpsError("precondition", "no network card was found in this machine", {
        hint: "its driver is not in this installer, or misses its firmware: hpsctl installer-image build --firmware PACKAGE",
      });
    }
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** What the machine is, in a line. */
export function machineText({ vendor, product, serial, macs }: Facts): string {
  const model = [vendor, product].filter((text) => text !== undefined).join(" ") || "a machine without a name";
  return `${model}, serial number ${serial ?? "unknown"}, ${macs.slice(0, 8).join(", ")}`;
}
