import { safeText } from "../../proto/values/safe-text.ts";

/** What is looked at to tell whether an installed system is well. */
export interface HealthFacts {
  /** Undefined where HPS did not install: then nothing is known of its disk. */
  readonly disk:
    | {
        /** Of the kernel's command line: `a`, `b` or empty. */
        readonly slot: string;
        /** The root file system is that slot's. */
        readonly rootIsSlots: boolean;
        /** The state partition is mounted in its place. */
        readonly stateMounted: boolean;
      }
    | undefined;
  /** As systemd says; undefined where it does not run. */
  readonly system: { readonly state: string; readonly failed: readonly string[] } | undefined;
}

export interface Health {
  readonly healthy: boolean;
  /** Why not; of a healthy system, what failed in it all the same. */
  readonly reason: string;
  /** It may be well in a moment. */
  readonly starting: boolean;
}

/** In these, systemd has started everything it was to start. */
const UP: readonly string[] = ["running", "degraded"];
const STARTING: readonly string[] = ["initializing", "starting", ""];
const SHOWN = 8;

/**
 * Healthy is a system that runs from its own slot, has its state and has been started to the end. A unit that failed does
 * not change that: an image may bring one that never worked on this machine, and no other image would help. It is named.
 */
export function healthOf({ disk, system }: HealthFacts): Health {
  const reasons = [...diskReasons(disk), ...systemReasons(system)];
  const starting = system !== undefined && STARTING.includes(system.state);
  const failed = system === undefined ? [] : failedUnits(system.failed);
  return { healthy: reasons.length === 0, reason: [...reasons, ...failed].join("; "), starting };
}

function diskReasons(disk: HealthFacts["disk"]): readonly string[] {
  if (disk === undefined) return [];
  const { slot, rootIsSlots, stateMounted } = disk;
  const root =
    slot === "" ? "the kernel was started without a slot" : `the root file system is not that of slot ${slot}`;
  return [
    ...(slot === "" || !rootIsSlots ? [root] : []),
    ...(stateMounted ? [] : ["the state partition is not mounted at /var/lib/hps"]),
  ];
}

function systemReasons(system: HealthFacts["system"]): readonly string[] {
  if (system === undefined || UP.includes(system.state)) return [];
  if (STARTING.includes(system.state)) return ["the system is still starting"];
  return [`systemd says that the system is ${safeText(system.state.slice(0, 40))}`];
}

function failedUnits(failed: readonly string[]): readonly string[] {
  if (failed.length === 0) return [];
  const more = failed.length > SHOWN ? ` and ${failed.length - SHOWN} more` : "";
  const names = failed.slice(0, SHOWN).map((name) => safeText(name.slice(0, 100)));
  return [`failed units: ${names.join(", ")}${more}`];
}
