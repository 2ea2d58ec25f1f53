import { type EfiLoadOption, type EfiPartition, encodeLoadOption, parseLoadOption } from "./efi-load-option.ts";

/** What our entry is called in the firmware's menu, and what it starts. */
const DESCRIPTION = "HPS";
const LOADER = "\\EFI\\hps\\grubx64.efi";

/** The firmware's boot variables as they are. */
export interface BootVariables {
  /** BootOrder: numbers of entries; some may not exist. */
  readonly order: readonly number[];
  /** Boot####, by number. */
  readonly entries: ReadonlyMap<number, Buffer>;
}

/** What to write, in this order; nothing where all is as it should be, for the firmware's memory wears. */
export interface BootOrderPlan {
  readonly entry?: { readonly number: number; readonly value: Buffer };
  readonly order?: readonly number[];
  readonly remove: readonly number[];
}

/**
 * One entry for the disk that was installed. What the owner of the machine put in order stays so: a machine that starts
 * from the network first goes on to do so. Ours takes the place of an earlier one of ours; else it comes right behind the
 * network where that is first, because an older disk may start something too; else last, only before programs of the
 * firmware itself: an EFI shell never gives up, so nothing after it would ever start.
 */
export function planBootOrder({ order, entries }: BootVariables, esp: EfiPartition): BootOrderPlan {
  const options = new Map([...entries].map(([number, value]) => [number, parseLoadOption(value)]));
  const has = (what: "builtIn" | "network") => (number: number) => options.get(number)?.[what] === true;
  const ours = [...options].filter(([, option]) => isOurs(option)).map(([number]) => number);
  const kept = order.find((number) => ours.includes(number)) ?? ours[0];
  const number = kept ?? freeNumber([...entries.keys(), ...order]);
  const value = encodeLoadOption(DESCRIPTION, esp, LOADER);
  const wanted = placed(order, { number, ours, builtIn: has("builtIn"), network: has("network") });
  return {
    ...(entries.get(number)?.equals(value) !== true && { entry: { number, value } }),
    ...(wanted.join() !== order.join() && { order: wanted }),
    remove: ours.filter((other) => other !== number),
  };
}

/** The first entry in the order that boots from a network; undefined where there is none. */
export function networkEntry({ order, entries }: BootVariables): number | undefined {
  return order.find((number) => {
    const value = entries.get(number);
    return value !== undefined && parseLoadOption(value)?.network === true;
  });
}

function isOurs(option: EfiLoadOption | undefined): boolean {
  return option?.description === DESCRIPTION && option.file.toLowerCase() === LOADER.toLowerCase();
}

interface Place {
  readonly number: number;
  readonly ours: readonly number[];
  readonly builtIn: (number: number) => boolean;
  readonly network: (number: number) => boolean;
}

function placed(order: readonly number[], { number, ours, builtIn, network }: Place): readonly number[] {
  const others = order.filter((other) => !ours.includes(other) && other !== number);
  const before = order.findIndex((other) => ours.includes(other));
  const last = others.findLastIndex((other) => !builtIn(other)) + 1;
  const fresh = behindNetwork(others, { builtIn, network }) ?? last;
  const at = before === -1 ? fresh : before;
  return [...others.slice(0, at), number, ...others.slice(at)];
}

/** Behind the network entries that are the first in the order, menus of the firmware apart; undefined where they are not. */
function behindNetwork(order: readonly number[], { builtIn, network }: Pick<Place, "builtIn" | "network">) {
  const first = order.findIndex((number) => !builtIn(number));
  const rest = order.findIndex((number, at) => at >= first && !network(number));
  const behind = rest === -1 ? order.length : rest;
  return first !== -1 && behind > first ? behind : undefined;
}

function freeNumber(taken: readonly number[]): number {
  const used = new Set(taken);
  let number = 0;
  while (used.has(number)) number += 1;
  return number;
}
