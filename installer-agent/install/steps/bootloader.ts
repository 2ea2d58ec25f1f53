import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GRUB_IMAGES_FOLDER } from "../../../proto/config/grub-images.ts";
import { biosCanBoot, refuseUnstartable } from "../../plan/bios-boot.ts";
import { MACHINE } from "../../system/installation-disk.ts";
import { readPartitionPlace } from "../../system/partition-place.ts";
import { TargetRoot } from "../../system/target-root.ts";
import { setBootEntry } from "../boot-entry.ts";
import { espOf, findKernel, writeBiosLoader, writeEspFiles, writeSlotConfig } from "../boot-loader.ts";
import type { Step, StepContext } from "../step.ts";
import type { OpenTarget } from "../target.ts";

/**
 * GRUB for both firmwares, whatever this machine's is: a disk may move. It starts nothing yet, see `finish`; so a power
 * cut between leaves a disk that says it is unfinished and lets the firmware go on to the network.
 */
export const bootloader: Step = {
  name: "bootloader",
  installs: true,
  run: async (context) => {
    const { job, log, signal } = context;
    const target = await job.target.open(context);
    const { installation, partitions, disk } = target;
    const root = new TargetRoot(target.root);
    const kernel = await findKernel(root);
    log(`it starts the kernel ${kernel.kernel} with ${kernel.initrd}: ${kernel.why}`);
    const commandLine = await readFile("/proc/cmdline", "utf8");
    const { order } = await job.configuration(signal);
    const image = order?.image.format === "packs" ? order.image.files.manifest.digest : undefined;
    await writeSlotConfig(root, kernel, { installation, commandLine, image });
    const loader = await readFile(join(GRUB_IMAGES_FOLDER, "grubx64.efi"));
    await writeEspFiles(espOf(target.root), { installation, commandLine, loader });
    await biosLoader(target, context);
    if (job.facts.firmware !== "uefi") return;
    const { sectorBytes = 512 } = disk;
    await setBootEntry({ installation, place: await readPartitionPlace(partitions.esp), sectorBytes, signal, log });
  },
};

async function biosLoader({ disk, partitions }: OpenTarget, { job, log }: StepContext): Promise<void> {
  const { sectorBytes = 512 } = disk;
  if (biosCanBoot(sectorBytes)) {
    const place = await readPartitionPlace(partitions.bios);
    const node = join(MACHINE.dev, disk.name.replaceAll("!", "/"));
    await writeBiosLoader({ images: GRUB_IMAGES_FOLDER, disk: node, partition: partitions.bios, place, sectorBytes });
    return;
  }
  refuseUnstartable(job.facts.firmware, disk);
  log(
    `a BIOS cannot start ${disk.name}, whose sectors have ${sectorBytes} bytes: in another machine it needs UEFI too`,
  );
}
