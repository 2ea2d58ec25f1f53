import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Machine } from "./machine.ts";
import type { Measured, Row } from "./row.ts";

/** What `test/bench/results/NAME.json` holds. */
export interface Report extends Measured {
  readonly name: string;
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
}

const RESULTS = new URL("./results/", import.meta.url);
const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

/** Keeps the results, and puts them where docs/benchmarks.md has a place for this benchmark. */
export function keep(report: Report): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL(`${report.name}.json`, RESULTS), `${JSON.stringify(report, undefined, 2)}\n`);
  const page = readFileSync(PAGE, "utf8");
  const place = new RegExp(`(<!-- ${report.name} -->\n)[^]*?(<!-- /${report.name} -->)`);
  writeFileSync(
    PAGE,
    page.replace(place, (_, begin: string, end: string) => `${begin}\n${markdown(report)}\n${end}`),
  );
}

/** The same in the terminal and on the page. */
export function markdown({ date, commit, machine, rows, notes }: Report): string {
  const { cpu, cores, memoryMiB, kernel, node, fsyncMs, load } = machine;
  return [
    `${date}, commit ${commit}; ${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}, Node ${node}, fsync ${fsyncMs} ms,`,
    `load before ${load.toFixed(2)}.`,
    "",
    ...table(rows),
    "",
    ...notes.map((note) => `- ${note}`),
    "",
  ].join("\n");
}

function table(rows: readonly Row[]): string[] {
  const head = ["metric", "value", "peer", "peer's", "ratio", "budget", "met"];
  const body = rows.map((each) => [
    each.metric,
    `${each.value} ${each.unit}`,
    each.peer ?? "",
    each.peerValue === null ? "" : `${each.peerValue} ${each.unit}`,
    each.ratio === null ? "" : String(each.ratio),
    each.budget === null ? "" : `≤ ${each.budget} ${each.unit}`,
    each.met === null ? "" : each.met ? "yes" : "**no**",
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...body.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)];
}
