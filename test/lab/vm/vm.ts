import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { labFolder } from "../janitor.ts";
import { calibrate, limit } from "./calibrate.ts";
import { commandLine, type Made } from "./command-line.ts";
import { Console } from "./console.ts";
import { makeDisks } from "./disks.ts";
import type { VmOptions } from "./options.ts";
import { plugIn, unplug } from "./ports.ts";
import { type Qemu, startQemu } from "./qemu.ts";
import { reserveGuests, type Slots } from "./slots.ts";

const OVMF = "/usr/share/OVMF";
const CODE = `${OVMF}/OVMF_CODE_4M.fd`;
const VARS = `${OVMF}/OVMF_VARS_4M.fd`;
/** With the keys of Microsoft and of Debian's `snakeoil`, whose private half the package holds. */
const SECURE_CODE = `${OVMF}/OVMF_CODE_4M.secboot.fd`;
const SECURE_VARS = `${OVMF}/OVMF_VARS_4M.snakeoil.fd`;
/** How long a guest takes to end by the power button, usually. */
const POWERDOWN_SECONDS = 10;

let machines = 0;

/** What may be another from one power-on to the next. */
export type VmChange = Partial<Pick<VmOptions, "clock" | "bootOrder" | "diskOrder" | "memory" | "cpus" | "kernel">>;

interface Parts {
  readonly options: VmOptions;
  readonly folder: string;
  readonly made: Made;
  readonly slots: Slots;
  readonly ownSlots: boolean;
}

/**
 * A machine plugged into a rack, off at first. Its disks, its clock's wish, its firmware's variables and its console are kept from one
 * power-on to the next; all is gone when it is disposed of, or when this process ends, however it ends.
 */
export class Vm implements AsyncDisposable {
  readonly name: string;
  readonly console: Console;
  readonly #parts: Parts;
  readonly #place: AsyncDisposable;
  #options: VmOptions;
  #qemu: Qemu | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#options = parts.options;
    this.name = parts.options.name ?? "vm";
    this.console = new Console(this.name);
    this.#place = parts.slots.take();
  }

  /** The disk's file, by its place in the options: of a machine that is off. */
  diskFile(index: number): string {
    const file = this.#parts.made.files[index];
    if (file === undefined) throw new HpsError("out-of-range", `${this.name} has no disk ${index}`);
    return file;
  }

  /** All bytes of the serial console, of all power-ons. */
  get consoleLog(): string {
    return this.#parts.made.consoleLog;
  }

  get isOn(): boolean {
    return this.#qemu !== undefined;
  }

  /** Takes effect at the next power-on: another clock, boot order, memory, kernel. */
  change(change: VmChange): void {
    this.#options = { ...this.#options, ...change };
  }

  /** Presses the power button of a machine that is off. Answers with the console's place where this boot begins, for `waitFor`. */
  async powerOn(): Promise<number> {
    if (this.#qemu !== undefined) throw new HpsError("precondition", `${this.name} is on already`);
    const { rack } = this.#options;
    const from = this.console.mark();
    const argv = commandLine(this.#options, this.#parts.made);
    const qemu = await startQemu({ argv, console: this.console, ns: rack.server.ns });
    this.#qemu = qemu;
    void qemu.ended.then(() => {
      if (this.#qemu === qemu) this.#qemu = undefined;
    });
    for (const [at, nic] of (this.#options.nics ?? []).entries())
      if (nic.cable === "dead") await this.setLink(at, false);
    await qemu.qmp.execute("cont");
    return from;
  }

  /** Presses the power button of a machine that is on, and waits until the guest has ended; it must know what that means. */
  async powerDown(): Promise<void> {
    const { qmp, ended } = this.#on();
    await qmp.execute("system_powerdown");
    await this.#within(ended, await limit(POWERDOWN_SECONDS), "did not end after the power button");
  }

  /** Waits until the guest has switched the machine off. */
  async waitForOff(limitMs: number): Promise<void> {
    if (this.#qemu !== undefined) await this.#within(this.#qemu.ended, limitMs, "did not switch itself off");
  }

  /** The power fails, now: what the guest had not given to its disks is lost. */
  async cutPower(): Promise<void> {
    await this.#qemu?.kill();
    this.#qemu = undefined;
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await this.#on().qmp.execute("system_reset");
  }

  /** Waits for the guest's next reset (a reboot) since the power came on or the last call of this. */
  async waitForReset(limitMs: number): Promise<void> {
    await this.#on().qmp.takeEvent("RESET", limitMs);
  }

  /** `running`, `paused`, `shutdown` … as QEMU says it; `off` without one. */
  async status(): Promise<string> {
    if (this.#qemu === undefined) return "off";
    return String(Object(await this.#qemu.qmp.execute("query-status")).status);
  }

  /** Pulls the cable of a NIC, or puts it back: the guest sees its carrier go. */
  async setLink(nic: number, up: boolean): Promise<void> {
    await this.#on().qmp.execute("set_link", { name: `net${nic}`, up });
  }

  /** Pulls a running machine's disk (virtio or NVMe) out of its slot; the guest must let it go. */
  async pullDisk(index: number, limitMs: number): Promise<void> {
    const { qmp } = this.#on();
    await qmp.execute("device_del", { id: `disk${index}` });
    await qmp.takeEvent("DEVICE_DELETED", limitMs, ({ data }) => data.device === `disk${index}`);
  }

  /** A picture of the screen, as PPM; the machine must have one. */
  async screendump(file: string): Promise<void> {
    await this.#on().qmp.execute("screendump", { filename: file });
  }

  /** Any other QMP command. */
  async qmp(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return await this.#on().qmp.execute(command, args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cutPower();
    await unplug(this.#options.rack, this.#parts.made.taps);
    await rm(this.#parts.folder, { recursive: true, force: true });
    await this.#place[Symbol.asyncDispose]();
    if (this.#parts.ownSlots) await this.#parts.slots[Symbol.asyncDispose]();
  }

  #on(): Qemu {
    if (this.#qemu === undefined) throw new HpsError("precondition", `${this.name} is off`);
    return this.#qemu;
  }

  async #within<T>(what: Promise<T>, limitMs: number, why: string): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const text = () =>
      `${this.name} ${why} within ${limitMs / 1000} s. Its console ended with:\n${this.console.tail()}`;
    const timer = setTimeout(() => reject(new HpsError("deadline", text())), limitMs);
    return await Promise.race([what, promise]).finally(() => clearTimeout(timer));
  }
}

/**
 * Makes a machine, off, once there is a place for a guest: one of `slots` (see `reserveGuests`), or one of its own.
 * `HPS_LAB_LOGS`, a folder, keeps the consoles behind the test.
 */
export async function createVm(options: VmOptions, slots?: Slots): Promise<Vm> {
  const { accelerator } = await calibrate();
  const place = slots ?? (await reserveGuests(1));
  const folder = await labFolder();
  machines += 1;
  const logs = process.env.HPS_LAB_LOGS ?? folder;
  await mkdir(logs, { recursive: true });
  const taps = await plugIn(options.rack, options.nics ?? []);
  const secure = options.secureBoot === true;
  const made: Made = {
    accelerator,
    files: await makeDisks(folder, options.disks ?? []),
    taps,
    consoleLog: join(logs, `${options.name ?? "vm"}-${process.pid}-${machines}.console`),
    ...(options.firmware === "uefi" ? { code: secure ? SECURE_CODE : CODE, vars: join(folder, "vars.fd") } : {}),
  };
  if (made.vars !== undefined) await copyFile(secure ? SECURE_VARS : VARS, made.vars);
  return new Vm({ options, folder, made, slots: place, ownSlots: slots === undefined });
}
