import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Reporter, TestCase } from "vitest/node";
import { currentCommit, describeMachine } from "../bench/machine.ts";
import { FAULT_KEYS, FAULTS, type FaultKey, isFaultKey } from "./faults.ts";

const ROOT = new URL("../../", import.meta.url);
const PAGE = new URL("docs/fault-matrix.md", ROOT);
const RESULTS = new URL("test/all/results/fault-matrix.json", ROOT);
/** Which runs write the page: those of `npm run test:all`, whole or in part. */
const PROJECT = "all";

/** How a row came out when it was last run. */
interface FaultResult {
  readonly outcome: "holds" | "**does not hold**";
  readonly seconds: number;
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
}

export type FaultResults = Partial<Record<FaultKey, FaultResult>>;

/** Keeps how each fault came out in `test/all/results`, and writes docs/fault-matrix.md from it. Rows that were not run now stay as they were. */
export class FaultMatrix implements Reporter {
  #commit = "";

  /** What the programs were when the run began: it takes hours. */
  onTestRunStart(): void {
    this.#commit = currentCommit();
  }

  /** At once: a run takes hours, and may be ended before its end. */
  onTestCaseResult(test: TestCase): void {
    const { fault } = test.meta();
    const { state } = test.result();
    if (test.project.name !== PROJECT || !isFaultKey(fault) || (state !== "passed" && state !== "failed")) return;
    const seconds = Math.round((test.diagnostic()?.duration ?? 0) / 1000);
    const outcome = state === "passed" ? "holds" : "**does not hold**";
    const run = { date: new Date().toISOString().slice(0, 10), commit: this.#commit, machine: machineText() };
    const results = { ...readResults(), [fault]: { outcome, seconds, ...run } } satisfies FaultResults;
    mkdirSync(new URL(".", RESULTS), { recursive: true });
    writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
    writeFileSync(PAGE, faultPage(results));
  }
}

function readResults(): FaultResults {
  try {
    const kept: Readonly<Record<string, FaultResult>> = JSON.parse(readFileSync(RESULTS, "utf8"));
    return Object.fromEntries(Object.entries(kept).filter(([key]) => isFaultKey(key)));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}

/** The page as it is for these results. */
export function faultPage(results: FaultResults): string {
  const rows = FAULT_KEYS.map((key) => {
    const { done, holds } = FAULTS[key];
    const { outcome = "not run", seconds = "", date = "", commit = "" } = results[key] ?? {};
    return [done, holds, outcome, String(seconds), commit === "" ? "" : `${date}, ${commit}`];
  });
  const machines = new Set(Object.values(results).map(({ machine }) => machine));
  return [
    "# What was done to installations, and what came of it",
    "",
    "`npm run test:all` writes this page: each row is a test, and says when and on which commit it last ran. `npm test` holds the rows",
    "that are short enough, and is not recorded here.",
    "",
    ...table(["done", "what must hold", "outcome", "seconds", "run"], rows),
    "",
    ...[...machines].map((machine) => `Machine: ${machine}.`),
    ...(machines.size === 0 ? [] : [""]),
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

function machineText(): string {
  const { cpu, cores, memoryMiB, kernel, node } = describeMachine();
  return `${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}, Node ${node}`;
}
