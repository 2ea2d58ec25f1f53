import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readSmallFile } from "../../proto/config/private-file.ts";
import { fileSystemId } from "../../proto/values/layout-ids.ts";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";
import { STATE_PLACE } from "../plan/agent-unit.ts";
import type { HealthFacts } from "../plan/health.ts";
import { runTool } from "../system/tool.ts";

export interface HealthPlace {
  /** The slot that the kernel's command line names. */
  readonly slot: string;
  /** Holds the id of the installation that made this system. */
  readonly installationFile: string;
}

/** udev's names of file systems by their UUIDs. */
const BY_UUID = "/dev/disk/by-uuid";
/** systemd makes it and nobody else (sd_booted(3)). */
const SYSTEMD = "/run/systemd/system";
const ASK_MS = 20_000;

/** Looks at this system as it is now. */
export async function readHealth({ slot, installationFile }: HealthPlace, signal: AbortSignal): Promise<HealthFacts> {
  const text = (await readSmallFile(installationFile).catch(() => undefined))?.trim() ?? "";
  return {
    disk: text === "" ? undefined : await readDisk(parseUuid(text), slot),
    system: await readSystem(signal),
  };
}

async function readDisk(installation: Uuid, slot: string): Promise<NonNullable<HealthFacts["disk"]>> {
  const root = slot === "b" ? "root-b" : "root-a";
  return {
    slot,
    rootIsSlots: await isMountedFrom("/", fileSystemId(installation, root)),
    stateMounted: await isMountedFrom(STATE_PLACE, fileSystemId(installation, "state")),
  };
}

async function isMountedFrom(place: string, uuid: Uuid): Promise<boolean> {
  const [mounted, device] = await Promise.all([
    stat(place).catch(() => undefined),
    stat(join(BY_UUID, uuid)).catch(() => undefined),
  ]);
  return mounted !== undefined && device?.isBlockDevice() === true && mounted.dev === device.rdev;
}

async function readSystem(signal: AbortSignal): Promise<HealthFacts["system"]> {
  const booted = await stat(SYSTEMD).catch(() => undefined);
  if (booted === undefined) return undefined;
  const options = { signal, log: () => undefined, limitMs: ASK_MS, quiet: true };
  const ask = ["systemctl", "is-system-running"];
  // It ends with 1 for every state but `running`.
  const state = (await runTool(ask, { ...options, accept: [0, 1] })).trim();
  const list = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"];
  const failed = (await runTool(list, options)).split("\n").flatMap((line) => line.trim().split(/\s+/, 1));
  return { state, failed: failed.filter((name) => name !== "") };
}
