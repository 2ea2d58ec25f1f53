import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tryLock } from "../../proto/tree/native/files.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/**
 * Locks a disk for this agent alone, as udev and util-linux do it (flock on its device), until disposed or the agent's
 * end. `precondition` when another program has it.
 */
export async function lockDisk(node: string): Promise<AsyncDisposable> {
  const handle: FileHandle = await open(node, constants.O_RDONLY);
  if (tryLock(handle.fd)) return handle;
  await handle.close();
  throw new HpsError("precondition", `${node} is locked by another program`, {
    hint: "see in a shell of this machine what uses it, then hpsctl installation retry HOST",
  });
}
