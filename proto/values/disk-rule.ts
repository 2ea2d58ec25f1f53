import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";
import { formatSize, parseSize } from "./size.ts";

/**
 * Which disk to install on. Terms with commas between, all must hold: `serial=S4X1`, `wwn=naa.5000c500a1b2c3d4`,
 * `path=pci-0000:00:1f.2-ata-1`, `size>=200GB`, `size<=1TB`, and `smallest` or `largest` to choose among what is left.
 * A value with a space, comma, quote or control character stands in double quotes, as hpsctl shows it: `serial="a\x1b b"`.
 */
export interface DiskRule {
  readonly serial?: string;
  readonly wwn?: string;
  /** Name below /dev/disk/by-path. */
  readonly path?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly pick?: "smallest" | "largest";
}

const LONGEST = 4096;
const TERM = /([a-z]+)(?:(=|>=|<=)("(?:[^"\\]|\\.)*"|[^\s",=<>\\]+))?(,|$)/suy;
const HINT = "write it as serial=S4X1, wwn=…, path=…, size>=200GB, size<=1TB, smallest or largest, with commas between";

/** Reads a rule; the empty text is the empty rule: the one fixed disk. */
export function parseDiskRule(text: string): DiskRule {
  if (text.length > LONGEST || !text.isWellFormed()) throw wrong(text);
  const rule = new Map<keyof DiskRule, string | number>();
  const reader = new RegExp(TERM);
  const trimmed = text.trim();
  while (reader.lastIndex < trimmed.length) {
    const [found, name = "", operator = "", value = "", end] = reader.exec(trimmed) ?? [];
    if (found === undefined || (end === "," && reader.lastIndex === trimmed.length)) throw wrong(text);
    const [key, meant] = termOf(name + operator, value) ?? [];
    if (key === undefined || meant === undefined || meant === "") throw wrong(text);
    if (rule.has(key)) throw new HpsError("invalid", `the disk rule ${quote(text)} says ${name} twice`);
    rule.set(key, meant);
  }
  return Object.fromEntries(rule);
}

/** The text that `parseDiskRule` reads back. */
export function formatDiskRule({ serial, wwn, path, atLeast, atMost, pick }: DiskRule): string {
  const terms = [
    ...(serial === undefined ? [] : [`serial=${valueText(serial)}`]),
    ...(wwn === undefined ? [] : [`wwn=${valueText(wwn)}`]),
    ...(path === undefined ? [] : [`path=${valueText(path)}`]),
    ...(atLeast === undefined ? [] : [`size>=${formatSize(atLeast)}`]),
    ...(atMost === undefined ? [] : [`size<=${formatSize(atMost)}`]),
    ...(pick === undefined ? [] : [pick]),
  ];
  return terms.join(",");
}

function termOf(term: string, value: string): readonly [keyof DiskRule, string | number] | undefined {
  switch (term) {
    case "serial=":
    case "wwn=":
    case "path=":
      return [term === "serial=" ? "serial" : term === "wwn=" ? "wwn" : "path", unquoted(value)];
    case "size>=":
      return ["atLeast", parseSize(unquoted(value))];
    case "size<=":
      return ["atMost", parseSize(unquoted(value))];
    case "smallest":
    case "largest":
      return ["pick", term];
    default:
      return undefined;
  }
}

/** The other way round than `quote`. */
function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  return value.slice(1, -1).replaceAll(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))/gsu, (_, byte, unit, other) => {
    if (other !== undefined && other !== '"' && other !== "\\") throw wrong(value);
    return other ?? String.fromCharCode(Number.parseInt(byte ?? unit, 16));
  });
}

function valueText(value: string): string {
  return /^[\w.:/+-]+$/.test(value) ? value : quote(value, LONGEST);
}

function wrong(text: string): HpsError {
  return new HpsError("invalid", `not a disk rule: ${quote(text)}`, { hint: HINT });
}
