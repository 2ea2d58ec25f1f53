import { access } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { type Facts, parseFacts } from "../../proto/values/facts.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { readDisks } from "./disks.ts";
import { readInterfaces } from "./network-interfaces.ts";
import { readSysfs, readSysfsText } from "./sysfs.ts";

/** What this machine says of itself; `sys` is where sysfs is mounted. Throws `precondition` without a network interface. */
export async function readFacts(sys = "/sys"): Promise<Facts> {
  const interfaces = await readInterfaces(sys);
  const macs = [...new Set(interfaces.map(({ mac }) => mac).filter((mac) => mac !== undefined))];
  if (macs.length === 0) {
    throw new HpsError("precondition", "this machine has no network interface with a MAC address", {
      hint: "in a test, say what it is with --facts",
    });
  }
  const firmware = await access(join(sys, "firmware/efi")).then(
    () => "uefi",
    () => "bios",
  );
  const disks = await readDisks(sys);
  const secureBoot = await secureBootOf(sys);
  const own = { memoryBytes: totalmem(), cpus: cpus().length, firmware, secureBoot, interfaces, disks };
  return parseFacts({ macs, ...(await dmiFacts(join(sys, "class/dmi/id"))), ...own });
}

/** The firmware's variable (UEFI, section 3.3): four bytes of attributes, then 1 for on. */
async function secureBootOf(sys: string): Promise<boolean> {
  const name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  return (await readSysfs(join(sys, "firmware/efi/efivars", name)))?.[4] === 1;
}

/** What the firmware says; what it leaves out, or only root may read, is left out. */
async function dmiFacts(folder: string): Promise<Partial<Facts>> {
  const [uuid, serial, vendor, product] = await Promise.all(
    ["product_uuid", "product_serial", "sys_vendor", "product_name"].map((name) => readSysfsText(join(folder, name))),
  );
  return {
    ...uuidFact(uuid),
    ...(serial !== undefined && { serial }),
    ...(vendor !== undefined && { vendor }),
    ...(product !== undefined && { product }),
  };
}

function uuidFact(text: string | undefined): Partial<Facts> {
  try {
    return text === undefined ? {} : { uuid: parseUuid(text) };
  } catch {
    return {};
  }
}
