import { readdirSync, readFileSync } from "node:fs";

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

/** Processor time since its start, in seconds, of each thread, by name; the first is Node's main thread. */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map((id): [string, number] => {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const name = id === String(pid) ? "main" : stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Fields 14 and 15 of proc(5), in ticks of 10 ms; the name and its number before them are cut off.
    return [name, (Number(fields[11]) + Number(fields[12])) / 100];
  });
  const sum = new Map<string, number>();
  for (const [name, seconds] of threads) sum.set(name, (sum.get(name) ?? 0) + seconds);
  return sum;
}

/** What a process used between two looks at it: shares of one core by thread, and resident memory. */
export interface Use {
  readonly cores: ReadonlyMap<string, number>;
  readonly total: number;
}

export function useBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  seconds: number,
): Use {
  const cores = new Map([...after].map(([name, spent]) => [name, (spent - (before.get(name) ?? 0)) / seconds]));
  return { cores, total: [...cores.values()].reduce((sum, share) => sum + share, 0) };
}
