import { existsSync } from "node:fs";
import { access, constants, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { lockFile } from "../file-lock.ts";
import { labFolder } from "../janitor.ts";
import { must } from "../run.ts";
import { CACHE, guestKernel, smallInitrd } from "./boot-files.ts";
import { commandLine } from "./command-line.ts";
import { Console } from "./console.ts";
import type { VmOptions } from "./options.ts";
import { startQemu } from "./qemu.ts";

export interface Calibration {
  readonly accelerator: "kvm" | "tcg";
  /** How long a small guest takes from power-on to its shell, beside that of the machine the seconds in our tests were measured on. */
  readonly factor: number;
}

/** On two cores without KVM. */
const REFERENCE_MS = 7_000;
/** A limit is so many times what a wait usually takes: far enough that it is never met by chance. */
const GENEROSITY = 10;
const PATIENCE_MS = 10 * 60_000;
/** A `/dev/kvm` that exists may still hang its guests. */
const KVM_MS = 15_000;

let calibration: Promise<Calibration> | undefined;

/**
 * Measures this machine by a small guest, once after each of its boots (kept in the lab's cache), and finds out whether KVM works.
 * `HPS_LAB_ACCEL` (`kvm` or `tcg`) decides that instead.
 */
export function calibrate(): Promise<Calibration> {
  calibration ??= readOrMeasure();
  return calibration;
}

/** The limit, in ms, of a wait that takes so many seconds on the machine our tests were written on. */
export async function limit(usualSeconds: number): Promise<number> {
  const { factor } = await calibrate();
  return Math.ceil(usualSeconds * 1000 * GENEROSITY * Math.max(factor, 0.5));
}

async function readOrMeasure(): Promise<Calibration> {
  const file = join(CACHE, `calibration-${process.env.HPS_LAB_ACCEL ?? "any"}.json`);
  await mkdir(CACHE, { recursive: true });
  await using _lock = await lockFile(`${file}.lock`, PATIENCE_MS);
  const machine = await machineKey();
  const kept = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
  if (kept?.machine === machine) return { accelerator: kept.accelerator, factor: kept.factor };
  const measured = await measure();
  await writeFile(`${file}.part`, `${JSON.stringify({ machine, ...measured })}\n`);
  await rename(`${file}.part`, file);
  return measured;
}

async function machineKey(): Promise<string> {
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const qemu = (await must(["qemu-system-x86_64", "--version"])).split("\n")[0];
  return [boot, cpus().length, cpus()[0]?.model, qemu].join(" / ");
}

async function measure(): Promise<Calibration> {
  const folder = await labFolder();
  try {
    const initrd = join(folder, "initrd");
    await smallInitrd(initrd, "echo the small guest is up; poweroff -f");
    const { kernel } = await guestKernel();
    const guest = (accelerator: Calibration["accelerator"], limitMs: number) =>
      timeGuest({ kernel, initrd, append: "console=ttyS0" }, { accelerator, limitMs, folder });
    const said = process.env.HPS_LAB_ACCEL;
    if (said !== "tcg" && (said === "kvm" || (await mayUseKvm()))) {
      const took = await guest("kvm", KVM_MS).catch((error: unknown) => {
        if (said === "kvm") throw error;
      });
      if (took !== undefined) return { accelerator: "kvm", factor: took / REFERENCE_MS };
    }
    return { accelerator: "tcg", factor: (await guest("tcg", PATIENCE_MS)) / REFERENCE_MS };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function mayUseKvm(): Promise<boolean> {
  const both = constants.R_OK | constants.W_OK;
  return access("/dev/kvm", both).then(
    () => true,
    () => false,
  );
}

interface Timing extends Pick<Calibration, "accelerator"> {
  readonly limitMs: number;
  readonly folder: string;
}

async function timeGuest(kernel: NonNullable<VmOptions["kernel"]>, timing: Timing): Promise<number> {
  const { accelerator, limitMs, folder } = timing;
  const consoleLog = join(folder, "console.log");
  const console = new Console(`the small guest by ${accelerator}`);
  const options = { firmware: "bios", memory: 512, kernel } as const;
  const argv = commandLine(options, { accelerator, files: [], taps: [], consoleLog });
  const qemu = await startQemu({ argv, console });
  const began = performance.now();
  try {
    await qemu.qmp.execute("cont");
    await console.waitFor(/the small guest is up/, limitMs);
    return performance.now() - began;
  } finally {
    await qemu.kill();
  }
}
