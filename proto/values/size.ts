import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A number of bytes: a safe integer from 0 to 2^53 - 1 (8 PiB), which no disk of ours reaches. */
export type Size = Brand<number, "Size">;

const LETTERS = ["K", "M", "G", "T", "P"] as const;

/** `KiB` and the bare letter are powers of 1024 (as in sfdisk, lvm, qemu-img and coreutils), `kB` powers of 1000. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ["b", 1n],
  ...LETTERS.flatMap((letter, index): [string, bigint][] => {
    const power = BigInt(index + 1);
    const low = letter.toLowerCase();
    return [
      [low, 1024n ** power],
      [`${low}ib`, 1024n ** power],
      [`${low}b`, 1000n ** power],
    ];
  }),
]);

/** Reads `10GiB`, `512 MiB`, `1.5T`, `800MB`, `4096`, any case. What is not a whole number of bytes is refused, never rounded. */
export function parseSize(text: string): Size {
  const [, whole = "", fraction = "", unit = ""] = /^(\d{1,16})(?:\.(\d{1,16}))? ?([A-Za-z]{0,3})$/.exec(text) ?? [];
  const factor = UNITS.get(unit.toLowerCase());
  if (whole === "" || factor === undefined) {
    throw new HpsError("invalid", `not a size: ${quote(text)}`, { hint: "write it as 10GiB, 512MiB or 1.5T" });
  }
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * factor;
  if (scaled % scale !== 0n) throw new HpsError("invalid", `${text} is not a whole number of bytes`);
  const bytes = scaled / scale;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw new HpsError("invalid", `${text} is more than 8 PiB`);
  return branded<"Size", number>(Number(bytes));
}

/** The shortest exact spelling in whole binary units, which `parseSize` reads back: `1536MiB`, `1000B`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const letter of LETTERS) {
    if (value === 0 || value % 1024 !== 0) break;
    value /= 1024;
    unit = `${letter}iB`;
  }
  return `${value}${unit}`;
}

/** About how much, for people: `1.5 GiB`, `999 B`. Not exact. */
export function roundSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const letter of LETTERS) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = `${letter}iB`;
  }
  return `${Number(value.toFixed(1))} ${unit}`;
}
