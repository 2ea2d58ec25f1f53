import { uptime } from "node:os";
import { BOOT_MAC_ARGUMENT, beaconUrl, kernelArgument } from "../../proto/config/beacon.ts";
import type { Facts } from "../../proto/values/facts.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import type { LogTail } from "../log-tail.ts";
import type { Consoles } from "../system/consoles.ts";
import { type BeaconOptions, runBeacon, sendBeacon } from "./beacon.ts";
import { ConsoleTalk } from "./console-talk.ts";
import { type InstallerOptions, runInstaller } from "./installer.ts";
import { startMachine } from "./machine.ts";
import { Situation } from "./situation.ts";

/** What a machine that was booted for the installer has beside the agent. */
export interface BareMetal {
  readonly consoles: Pick<Consoles, "write">;
  readonly tail: LogTail;
  /** The kernel's. */
  readonly commandLine: string;
}

const TALK_MS = 1_000;

/** `runInstaller` on a machine that is there for nothing else: brings up its network, speaks on its consoles, and tells the boot door what it cannot tell hpsd. */
export async function runOnBareMetal(options: InstallerOptions, metal: BareMetal, signal: AbortSignal): Promise<void> {
  const situation = new Situation();
  const over = new AbortController();
  const running = AbortSignal.any([signal, over.signal]);
  const beacon = beaconOf(options, metal, situation);
  talk(situation, metal.consoles, running);
  if (beacon !== undefined) void runBeacon(beacon, running);
  const { claim } = options;
  try {
    await runInstaller(
      {
        ...options,
        claimAge: () => uptime() * 1000,
        situation,
        machine: (log) => startMachine({ claim, situation, log }, running),
      },
      signal,
    );
  } catch (error) {
    situation.ended(error);
    if (beacon !== undefined && !signal.aborted) await sendBeacon(beacon).catch(() => undefined);
    throw error;
  } finally {
    over.abort();
  }
}

/** Tells every change at once, and what is due by time. */
function talk(situation: Situation, consoles: Pick<Consoles, "write">, signal: AbortSignal): void {
  const talker = new ConsoleTalk();
  const say = () => {
    for (const line of talker.lines(situation.now, performance.now())) consoles.write(`HPS: ${safeText(line)}\n`);
  };
  const stop = situation.listen(say);
  const timer = setInterval(say, TALK_MS);
  signal.addEventListener(
    "abort",
    () => {
      stop();
      clearInterval(timer);
    },
    { once: true },
  );
}

/** Undefined where no boot door sent this machine here. */
function beaconOf(
  { claim, facts }: InstallerOptions,
  { commandLine, tail }: BareMetal,
  situation: Situation,
): BeaconOptions | undefined {
  const url = beaconUrl(commandLine);
  const mac = bootMac(commandLine, facts);
  return url === undefined || mac === undefined
    ? undefined
    : { url, mac, installation: claim.installation, situation, tail };
}

function bootMac(commandLine: string, facts: Facts): Mac | undefined {
  try {
    return parseMac(kernelArgument(commandLine, BOOT_MAC_ARGUMENT) ?? "");
  } catch {
    return facts.macs[0];
  }
}
