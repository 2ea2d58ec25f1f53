import type { Log } from "../log.ts";
import { firmwareLine, missingFirmware } from "../plan/firmware.ts";
import { kernelLog } from "../system/kernel-log.ts";

/**
 * Names the firmware that drivers have asked for in vain, each file once however often it is called: some drivers ask when they
 * find their card, many only when it is set up.
 */
export function firmwareTeller(log: Pick<Log, "warn">, read: () => readonly string[] = kernelLog): () => void {
  const told = new Set<string>();
  return () => {
    for (const missing of missingFirmware(read())) {
      if (told.has(missing.file)) continue;
      told.add(missing.file);
      log.warn(firmwareLine(missing));
    }
  };
}
