import { HpsError } from "../../../proto/values/hps-error.ts";
import type { AptRoot, DebianPackage } from "./apt-root.ts";
import type { InstallerLock } from "./lock-file.ts";
import { PACKAGES } from "./package-list.ts";

/** What an installer is built from. */
export interface InstallerPackages {
  /** Name of the package that holds the kernel and its modules. */
  readonly kernel: string;
  readonly firmware: readonly string[];
  readonly packages: readonly DebianPackage[];
}

/** The newest packages of the archive; `kernel` may be a package that stands for the newest kernel of a kind. */
export async function newestPackages(
  apt: AptRoot,
  kernel: string,
  firmware: readonly string[],
): Promise<InstallerPackages> {
  await apt.update();
  const real = await realKernel(apt, kernel);
  const found = [...(await apt.closure(PACKAGES)), ...(await apt.exactly([real, ...firmware]))];
  const packages = [...new Map(found.map((one) => [one.name, one])).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  return { kernel: real, firmware, packages };
}

/** Exactly the packages of a lock. */
export function lockedPackages({ kernel, firmware, packages }: InstallerLock): InstallerPackages {
  return { kernel, firmware, packages };
}

/** `linux-image-amd64` depends on the kernel that is the newest. */
async function realKernel(apt: AptRoot, name: string): Promise<string> {
  const depends = await apt.field(name, "Depends");
  const real = /(?:^|[ ,])(linux-image-\d[a-z0-9.+-]*)/.exec(depends)?.[1] ?? name;
  if (!/^linux-image-\d/.test(real)) {
    throw new HpsError("invalid", `${name} is not a package of a kernel`, { hint: "--kernel linux-image-amd64" });
  }
  return real;
}
