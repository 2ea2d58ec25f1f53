import { statfs } from "node:fs/promises";
import { type Repeated, repeat } from "../core/operations/repeat.ts";
import type { ComponentStatus } from "../core/system/status.ts";
import type { Log } from "./log.ts";

/** Below this an operator has to act. */
export const LOW_DISK_BYTES = 256 * 1024 * 1024;
/** Below this writes fail, or soon will. */
const FULL_DISK_BYTES = 1024 * 1024;
const LOOK_MS = 5_000;

/** How much room the store has: shown by `hpsctl status`, and logged when it changes. */
export interface StoreRoom extends Repeated {
  readonly status: () => ComponentStatus;
}

/** Bytes that may still be written in a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Looks again and again until it is stopped. */
export function watchStoreRoom(folder: string, log: Log): StoreRoom {
  let status: ComponentStatus = { name: "store", health: "ok", reason: "" };
  const look = async () => {
    const before = status.health;
    status = { name: "store", ...judged(folder, await freeBytes(folder)) };
    if (status.health === before) return;
    const level = { ok: "info", degraded: "warn", failed: "error" } as const;
    log[level[status.health]](status.reason === "" ? `there is room again in ${folder}` : status.reason);
  };
  const onError = (error: unknown) => log.error({ err: error }, `looking for room in ${folder}`);
  return { ...repeat(look, { everyMs: LOOK_MS, onError }), status: () => status };
}

function judged(folder: string, free: number): Pick<ComponentStatus, "health" | "reason"> {
  if (free < FULL_DISK_BYTES) {
    return { health: "failed", reason: `the disk of ${folder} is full: nothing is accepted until there is room` };
  }
  if (free >= LOW_DISK_BYTES) return { health: "ok", reason: "" };
  return { health: "degraded", reason: `only ${Math.floor(free / 1_048_576)} MiB are free in ${folder}` };
}
