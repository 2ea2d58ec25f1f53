import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { FollowedInstallation } from "./followed-installation.ts";
import type { InstallRack, MachineOptions } from "./install-rack.ts";
import type { Finished } from "./run.ts";
import { limit } from "./vm/calibrate.ts";
import type { BootOrder } from "./vm/options.ts";
import type { Vm } from "./vm/vm.ts";

/** From power-on to the installed system's agent, usually; and from its order to switch off to darkness. */
const UP_SECONDS = 120;
const OFF_SECONDS = 30;
const LOOK_MS = 200;

interface Options extends MachineOptions {
  /** Which of its disks is installed, as hpsctl takes it. */
  readonly disk?: string;
}

/** A machine that became a host, for what it does afterwards. */
export class InstalledHost implements AsyncDisposable {
  readonly vm: Vm;
  readonly installation: FollowedInstallation;
  readonly #rack: InstallRack;

  private constructor(rack: InstallRack, vm: Vm, installation: FollowedInstallation) {
    this.#rack = rack;
    this.vm = vm;
    this.installation = installation;
  }

  /** Installs it, from the network first; its system runs. */
  static async install(rack: InstallRack, { disk = "", ...options }: Options): Promise<InstalledHost> {
    const vm = await rack.addMachine({ bootOrder: "network-first", ...options });
    try {
      const installation = await FollowedInstallation.arm(rack, vm, { disk });
      await vm.powerOn();
      await installation.succeeds();
      return new InstalledHost(rack, vm, installation);
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its system ends in order, by an operator's word; the power is off. */
  async switchOff(): Promise<void> {
    if (!this.vm.isOn) return;
    await this.hpsctl("installer-shell", this.vm.name, "--", "systemctl", "poweroff");
    await this.vm.waitForOff(await limit(OFF_SECONDS));
    await this.#becomes("off", ({ attached }) => !attached, await limit(OFF_SECONDS));
  }

  /** Seconds from power-on, in this order, until its system is attached and says that it is well. */
  async switchOn(bootOrder: BootOrder): Promise<number> {
    this.vm.change({ bootOrder });
    const began = performance.now();
    await this.vm.powerOn();
    await this.isUp();
    return (performance.now() - began) / 1000;
  }

  /** Switches it off and on again; what its console said from power-on until its system was up. */
  async restart(bootOrder: BootOrder): Promise<string> {
    await this.switchOff();
    const from = this.vm.console.mark();
    await this.switchOn(bootOrder);
    return this.vm.console.text().slice(from);
  }

  /** Waits until its system is attached and says that it is well. */
  async isUp(): Promise<void> {
    const isWell = ({ attached, boot, installation }: Host) =>
      attached && boot?.healthy === true && installation === "";
    await this.#becomes("up", isWell, await limit(UP_SECONDS));
  }

  /** What a command prints in whatever runs on it. */
  async shell(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.hpsctl("installer-shell", this.vm.name, "--", "sh", "-c", command);
    if (code !== 0) throw new HpsError("internal", `${command} on ${this.vm.name} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** The command line as an operator has it. */
  async hpsctl(...words: readonly string[]): Promise<Finished> {
    return await this.#rack.hpsctl(...words);
  }

  /** As hpsd has it now. */
  async get(): Promise<Host> {
    return await this.#rack.hps.hosts.getHost({ host: `lab/${this.vm.name}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm[Symbol.asyncDispose]();
  }

  async #becomes(what: string, when: (host: Host) => boolean, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!when(await this.get())) {
      if (performance.now() > end) {
        const late = `${this.vm.name} is not ${what} after ${Math.round(limitMs / 1000)} s. Its console ended with:`;
        throw new HpsError("deadline", `${late}\n${this.vm.console.tail()}`);
      }
      await sleep(LOOK_MS);
    }
  }
}
