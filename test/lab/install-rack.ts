import { HpsError } from "../../proto/values/hps-error.ts";
import { type ArtifactOptions, debianImage, GENERIC, installerSet, VIRTUAL } from "./artifacts.ts";
import { type HpsdRack, type HpsdRackOptions, startHpsdRack } from "./hpsd-rack.ts";
import { type Program, startProgram } from "./program.ts";
import { must } from "./run.ts";
import type { VmOptions } from "./vm/options.ts";
import type { Slots } from "./vm/slots.ts";
import { createVm, type Vm } from "./vm/vm.ts";

const HPSCTL = [process.execPath, new URL("../../client/main.ts", import.meta.url).pathname];
const IMPORT_MS = 10 * 60_000;
/** How hpsctl ends when it is told to. */
const INTERRUPTED = 130;

export interface InstallRackOptions extends Omit<HpsdRackOptions, "machines"> {
  /** A plain Debian for virtual machines (default), for all there are (twice as large), one of these words, or nothing to install. */
  readonly image?: "virtual" | "generic" | "none" | readonly string[];
  /** Makes the folder of an installer set; default: the usual one, `installerSet`. */
  readonly installer?: (options: ArtifactOptions) => Promise<string>;
  /** Hears what the builds print, when something has to be built, and the imports. */
  readonly onOutput?: (text: string) => void;
}

/** hpsd on a network of its own, with an installer set and an image: what an empty machine needs to become a host. */
export interface InstallRack extends HpsdRack {
  /** Name and tag of the image. */
  readonly image: string;
  /** Makes a machine on this network, off; known as the host `name` of its first NIC's MAC, unless `known` says otherwise. */
  readonly addMachine: (options: MachineOptions) => Promise<Vm>;
  /** Starts `hpsctl install` of this host with the rack's image, following it, and returns when it is armed. */
  readonly arm: (host: string, ...words: readonly string[]) => Promise<Installing>;
  /** Starts the real `hpsctl` with these words, as the operator; it goes on beside the test. */
  readonly follow: (words: readonly string[], onOutput?: (text: string) => void) => Promise<Program>;
}

export interface Installing {
  readonly program: Program;
  /** The exit code of `hpsctl install --watch`, when it has ended; throws with all it printed after `limitMs`. */
  readonly end: (limitMs: number) => Promise<number>;
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
  const { image: wanted = "virtual", installer = installerSet, onOutput, ...hpsdOptions } = options;
  const told = onOutput === undefined ? {} : { onOutput };
  const set = await installer(told);
  const file = wanted === "none" ? undefined : await debianImage({ ...told, words: wordsOf(wanted) });
  const rack = await startHpsdRack({ ...hpsdOptions, machines: [] });
  try {
    const image = "debian/lab:1";
    const bring = (...words: readonly string[]) =>
      must([...HPSCTL, ...words], { ...place(rack), timeoutMs: IMPORT_MS });
    await bring("installer-image", "import", set);
    if (file !== undefined) await bring("image", "import", image, file);
    return { ...rack, image, ...commandsOf(rack, image) };
  } catch (error) {
    await rack[Symbol.asyncDispose]();
    throw error;
  }
}

function wordsOf(image: "virtual" | "generic" | readonly string[]): readonly string[] {
  if (typeof image !== "string") return image;
  return image === "virtual" ? VIRTUAL : GENERIC;
}

function commandsOf(rack: HpsdRack, image: string): Pick<InstallRack, "addMachine" | "follow" | "arm"> {
  const follow: InstallRack["follow"] = (words, onOutput) =>
    startProgram({ argv: [...HPSCTL, ...words], ...place(rack), ...(onOutput === undefined ? {} : { onOutput }) });
  return {
    follow,
    async arm(host, ...words) {
      const program = await follow(["install", host, "--image", image, "--watch", ...words]);
      await program.waitFor(/-> armed/);
      return { program, end: (limitMs) => endOf(program, limitMs) };
    },
    async addMachine({ slots, known = true, words = [], ...options }) {
      const mac = options.nics?.[0]?.mac;
      if (known && mac !== undefined) {
        await must([...HPSCTL, "host", "add", options.name, "--mac", mac, ...words], place(rack));
      }
      return await createVm({ ...options, rack: rack.rack }, slots);
    },
  };
}

async function endOf(program: Program, limitMs: number): Promise<number> {
  const timer = setTimeout(() => void program.stop(), limitMs);
  const code = await program.ended;
  clearTimeout(timer);
  if (code !== INTERRUPTED) return code;
  throw new HpsError("deadline", `not installed within ${Math.round(limitMs / 1000)} s:\n${program.output()}`);
}

function place({ rack, environment }: HpsdRack) {
  return { ns: rack.server.ns, env: environment };
}
