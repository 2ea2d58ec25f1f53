import { HpsError } from "../../proto/values/hps-error.ts";
import type { Log } from "../log.ts";

/** What bounds a session on the agent. */
export interface ShellLimits {
  /** Sessions at one time. */
  readonly sessions: number;
  /** Between SIGHUP and SIGKILL. */
  readonly graceMs: number;
  /** How long the output of an ended program must have been quiet to be all of it, when something still holds it open. */
  readonly quietMs: number;
  /** How long a terminal without a stream waits to be resumed, unless hpsd says so. */
  readonly holdMs: number;
}

export interface ShellOptions extends ShellLimits {
  /** Where a session begins, and whose profile a login shell reads. */
  readonly home: string;
  readonly log: Log;
  /** What is open is marked in this folder, for the next agent to end it when this one is killed; absent: it is not. */
  readonly marks?: string;
}

export const DEFAULT_SHELL_LIMITS: ShellLimits = { sessions: 16, graceMs: 2_000, quietMs: 500, holdMs: 300_000 };

/** The most that hpsd may ask for. */
const LONGEST_HOLD_MS = 24 * 60 * 60_000;

/** What hpsd says of it, as it stands in a message; `undefined` where it says nothing. */
export function parseHold(hold: { readonly seconds: bigint; readonly nanos: number } | undefined): number | undefined {
  if (hold === undefined) return undefined;
  const ms = Number(hold.seconds) * 1000 + hold.nanos / 1e6;
  if (!(ms >= 0 && ms <= LONGEST_HOLD_MS)) throw new HpsError("invalid", `a terminal cannot be held for ${ms} ms`);
  return Math.round(ms);
}
