import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseKeySet, type SignedKeySet } from "../../proto/image/key-set.ts";
import { keySetBytes } from "../../proto/image/signed-message.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { partitionId } from "../../proto/values/layout-ids.ts";
import { STATE } from "../plan/agent-unit.ts";
import type { Disk } from "../plan/disk-choice.ts";
import { partitionName } from "../plan/layout.ts";
import { type DevicePlace, deviceOf, isPartition, nodeOf } from "../system/installation-disk.ts";
import { readGpt } from "../system/read-gpt.ts";
import { TargetRoot } from "../system/target-root.ts";
import { runTool, type ToolOptions } from "../system/tool.ts";

type Run = Pick<ToolOptions, "signal" | "log">;

const MOUNT_MS = 60_000;
/** Of a file system that another system wrote: nothing in it counts but its bytes, and no error of it stops this machine. */
export const UNTRUSTED = "nodev,nosuid,noexec,errors=continue";

/** The keys that the state file system at `root` keeps; undefined where it keeps none, `denied` where they cannot be read. */
export async function readKeptKeys(root: string): Promise<SignedKeySet | undefined> {
  const state = new TargetRoot(root);
  if ((await state.kind(STATE.imageKeys)) === "nothing") return undefined;
  const text = await state.text(STATE.imageKeys);
  try {
    return parseKeySet(Buffer.from((text ?? "").trim(), "base64"));
  } catch (cause) {
    if (!(cause instanceof HpsError)) throw cause;
    throw new HpsError("denied", `the keys that this disk keeps for images cannot be read: ${cause.message}`, {
      hint: "look at the file image-keys of its state partition; if the disk is to be used anew, wipe it by hand",
      cause,
    });
  }
}

/** From now on images for this disk must be signed by these keys. Undefined: none, and none were kept. */
export async function keepKeys(root: string, set: SignedKeySet | undefined): Promise<void> {
  if (set === undefined) return;
  await new TargetRoot(root).write(STATE.imageKeys, `${keySetBytes(set).toString("base64")}\n`);
}

/** The keys that the system on a disk keeps, whichever installation made it; what cannot be mounted keeps none. */
export async function readDiskKeys(disk: Disk, place: DevicePlace, run: Run): Promise<SignedKeySet | undefined> {
  const node = await statePartition(disk, place);
  if (node === undefined) return undefined;
  return await onState(node, "ro,noload", run, readKeptKeys).catch((error: unknown) => {
    run.signal.throwIfAborted();
    if (!(error instanceof CannotMount)) throw error;
    run.log(`${node} was the state of an older system, and cannot be read: what keys it kept is not known`);
    return undefined;
  });
}

/** Mounts a state file system where nothing else looks, for so long as `use` takes. */
export async function onState<T>(
  node: string,
  options: "ro,noload" | "rw",
  run: Run,
  use: (root: string) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "hps-state-"));
  try {
    const mount = ["mount", "-t", "ext4", "-o", `${options},${UNTRUSTED}`, node, root];
    await runTool(mount, { ...run, limitMs: MOUNT_MS }).catch((cause: unknown) => {
      throw cause instanceof HpsError ? new CannotMount(cause) : cause;
    });
    try {
      return await use(root);
    } finally {
      await runTool(["umount", root], { ...run, signal: AbortSignal.timeout(MOUNT_MS), limitMs: MOUNT_MS });
    }
  } finally {
    await rmdir(root);
  }
}

class CannotMount extends HpsError {
  constructor(cause: HpsError) {
    super(cause.code, cause.message, { hint: cause.hint, details: cause.details, cause });
  }
}

/** The device node of the state partition of whichever installation made a disk's table, by the GUIDs that it gives its partitions. */
export async function statePartition(disk: Disk, place: DevicePlace): Promise<string | undefined> {
  const device = deviceOf(disk, place);
  const gpt = await readGpt(device);
  const found = gpt?.partitions?.find(({ id }) => id === partitionId(gpt.diskId, "state"));
  if (found === undefined) return undefined;
  const { first, last, number } = found;
  const name = partitionName(disk.name, number);
  const span = { start: first * device.sectorBytes, bytes: (last - first + 1) * device.sectorBytes };
  return (await isPartition(name, span, place)) ? nodeOf(name, place.dev) : undefined;
}
