import type { InstallRack } from "./install-rack.ts";
import { limit } from "./vm/calibrate.ts";
import type { Vm } from "./vm/vm.ts";

const DISK_BYTES = 1024 ** 3;
/** From power-on to the installer's shell, usually. */
const SHELL_SECONDS = 90;

/** A machine in the rescue system: the installer as it is on any machine, with nothing to install. */
export async function rescuedMachine(
  rack: InstallRack,
  { name, mac }: { readonly name: string; readonly mac: string },
): Promise<Vm> {
  const disks = [{ bus: "virtio", bytes: DISK_BYTES }] as const;
  const vm = await rack.addMachine({ name, firmware: "bios", disks, nics: [{ mac }] });
  try {
    const rescue = await rack.follow(["host", "rescue", name, "--watch"]);
    await rescue.waitFor(/power it on, to boot from the network/);
    await vm.powerOn();
    await rescue.waitFor(/the shell is there: hpsctl installer-shell/, await limit(SHELL_SECONDS));
    return vm;
  } catch (error) {
    await vm[Symbol.asyncDispose]();
    throw error;
  }
}
