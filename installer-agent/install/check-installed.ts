import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GRUB_IMAGES_FOLDER } from "../../proto/config/grub-images.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { loadIdentity } from "../link/identity.ts";
import { openStateFolder } from "../link/state-folder.ts";
import { STATE, STATE_PLACE } from "../plan/agent-unit.ts";
import { TargetRoot } from "../system/target-root.ts";
import { espOf, findKernel } from "./boot-loader.ts";

/** Throws `data-loss` unless what a start needs is in the target as the steps left it: the last look before it counts. */
export async function checkInstalled(path: string, hostId: string, images = GRUB_IMAGES_FOLDER): Promise<void> {
  const root = new TargetRoot(path);
  const esp = espOf(path);
  const { kernel, initrd } = await findKernel(root);
  const slot = (await root.text("boot/slot.cfg")) ?? "";
  const starts = [kernel, initrd].every((name) => slot.includes(`'/${name}'`));
  if (!starts) throw damaged("/boot/slot.cfg does not start the image's kernel");
  const loader = await readFile(join(images, "grubx64.efi"));
  for (const file of ["EFI/hps/grubx64.efi", "EFI/BOOT/BOOTX64.EFI"]) {
    const written = await readFile(join(esp.path, file)).catch(() => undefined);
    if (written?.equals(loader) !== true) throw damaged(`/${file} of the ESP is not what was written`);
  }
  if ((await esp.kind("hps/grub.cfg")) !== "file") throw damaged("the ESP has no /hps/grub.cfg");
  const identity = await loadIdentity(await openStateFolder(join(path, STATE_PLACE, STATE.identity)));
  if (identity?.peer.kind !== "host" || identity.peer.id !== hostId)
    throw damaged("the host has no identity of its own");
}

function damaged(what: string): HpsError {
  return new HpsError("data-loss", `the installed system would not start: ${what}`, {
    hint: "something changed the target meanwhile, or the disk is failing; retry begins with this step, arm the host again to begin anew",
  });
}
