import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BootOrderPlan, BootVariables } from "../plan/boot-order.ts";

/** Where Linux shows the firmware's variables. */
export const EFI_VARIABLES = "/sys/firmware/efi/efivars";

/** EFI_GLOBAL_VARIABLE. */
const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/** Kept without power, readable before and after the system is started. */
const ATTRIBUTES = Buffer.from([7, 0, 0, 0]);
const ENTRY = new RegExp(`^Boot([0-9A-F]{4})-${GLOBAL}$`);

/** The firmware's boot entries and their order; undefined where there are no such variables: a BIOS, or efivarfs is not mounted. */
export async function readBootVariables(folder = EFI_VARIABLES): Promise<BootVariables | undefined> {
  const names = await readdir(folder).catch(() => []);
  if (names.length === 0) return undefined;
  const entries = new Map<number, Buffer>();
  for (const name of names) {
    const number = ENTRY.exec(name)?.[1];
    const value = number === undefined ? undefined : await readVariable(join(folder, name));
    if (number !== undefined && value !== undefined) entries.set(Number.parseInt(number, 16), value);
  }
  const order = (await readVariable(join(folder, `BootOrder-${GLOBAL}`))) ?? Buffer.alloc(0);
  return {
    order: Array.from({ length: Math.floor(order.length / 2) }, (_, at) => order.readUInt16LE(at * 2)),
    entries,
  };
}

/** Carries a plan out; the order names the entry only once it is there. Throws the system's own error. */
export async function writeBootOrder({ entry, order, remove }: BootOrderPlan, folder = EFI_VARIABLES): Promise<void> {
  if (entry !== undefined) await writeVariable(join(folder, entryName(entry.number)), entry.value);
  if (order !== undefined) await writeVariable(join(folder, `BootOrder-${GLOBAL}`), numbers(order));
  for (const number of remove) await rm(join(folder, entryName(number)), { force: true });
}

function entryName(number: number): string {
  return `Boot${number.toString(16).toUpperCase().padStart(4, "0")}-${GLOBAL}`;
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) bytes.writeUInt16LE(value, at * 2);
  return bytes;
}

/** Without its attributes; undefined when the firmware does not give it. */
async function readVariable(path: string): Promise<Buffer | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes === undefined || bytes.length < ATTRIBUTES.length ? undefined : bytes.subarray(ATTRIBUTES.length);
}

/** In one write, as efivarfs wants it. */
async function writeVariable(path: string, value: Buffer): Promise<void> {
  await writeFile(path, Buffer.concat([ATTRIBUTES, value]), { mode: 0o644 });
}

/** Lets the firmware start this entry at the next boot, and at that alone. */
export async function writeBootNext(number: number, folder = EFI_VARIABLES): Promise<void> {
  await writeVariable(join(folder, `BootNext-${GLOBAL}`), numbers([number]));
}
