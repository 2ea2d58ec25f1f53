import { debianImage, installerSet } from "./artifacts.ts";
import { type HpsdRack, type HpsdRackOptions, startHpsdRack } from "./hpsd-rack.ts";
import { type Program, startProgram } from "./program.ts";
import { must } from "./run.ts";
import type { VmOptions } from "./vm/options.ts";
import type { Slots } from "./vm/slots.ts";
import { createVm, type Vm } from "./vm/vm.ts";

const HPSCTL = [process.execPath, new URL("../../client/main.ts", import.meta.url).pathname];
const IMPORT_MS = 10 * 60_000;

export interface InstallRackOptions extends Omit<HpsdRackOptions, "machines"> {
  /** Whether there is an image to install. Default: yes, a plain Debian. */
  readonly image?: boolean;
  /** Hears what the builds print, when something has to be built, and the imports. */
  readonly onOutput?: (text: string) => void;
}

/** hpsd on a network of its own, with an installer set and an image: what an empty machine needs to become a host. */
export interface InstallRack extends HpsdRack {
  /** Name and tag of the image. */
  readonly image: string;
  /** Makes a machine on this network, off; known as the host `name` of its first NIC's MAC, unless `known` says otherwise. */
  readonly addMachine: (options: MachineOptions) => Promise<Vm>;
  /** Starts the real `hpsctl` with these words, as the operator; it goes on beside the test. */
  readonly follow: (words: readonly string[], onOutput?: (text: string) => void) => Promise<Program>;
}

export interface MachineOptions extends Omit<VmOptions, "rack" | "name"> {
  readonly name: string;
  readonly slots?: Slots;
  /** `false`: hpsd has not heard of it. */
  readonly known?: boolean;
  /** Further words of `hpsctl host add`. */
  readonly words?: readonly string[];
}

/** Builds what was not built before, which takes minutes the first time. */
export async function startInstallRack(options: InstallRackOptions = {}): Promise<InstallRack> {
  const { image: wanted = true, onOutput, ...hpsdOptions } = options;
  const told = onOutput === undefined ? {} : { onOutput };
  const set = await installerSet(told);
  const file = wanted ? await debianImage(told) : undefined;
  const rack = await startHpsdRack({ ...hpsdOptions, machines: [] });
  try {
    const image = "debian/lab:1";
    const bring = (...words: readonly string[]) =>
      must([...HPSCTL, ...words], { ...place(rack), timeoutMs: IMPORT_MS });
    await bring("installer-image", "import", set);
    if (file !== undefined) await bring("image", "import", image, file);
    return { ...rack, image, ...machinesOf(rack) };
  } catch (error) {
    await rack[Symbol.asyncDispose]();
    throw error;
  }
}

function machinesOf(rack: HpsdRack): Pick<InstallRack, "addMachine" | "follow"> {
  return {
    async addMachine({ slots, known = true, words = [], ...options }) {
      const mac = options.nics?.[0]?.mac;
      if (known && mac !== undefined) {
        await must([...HPSCTL, "host", "add", options.name, "--mac", mac, ...words], place(rack));
      }
      return await createVm({ ...options, rack: rack.rack }, slots);
    },
    follow: (words, onOutput) =>
      startProgram({ argv: [...HPSCTL, ...words], ...place(rack), ...(onOutput === undefined ? {} : { onOutput }) }),
  };
}

function place({ rack, environment }: HpsdRack) {
  return { ns: rack.server.ns, env: environment };
}
