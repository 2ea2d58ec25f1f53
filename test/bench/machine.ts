import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { quantile } from "./quantiles.ts";

/** Where numbers were measured: they mean nothing without it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Median of an append of 4 KiB and its fsync, where the benchmarks keep their files; ms. */
  readonly fsyncMs: number;
  /** Load average of the last minute, before the benchmark began. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    fsyncMs: fsyncMs(),
    load: loadavg()[0] ?? 0,
  };
}

/** Of the code that runs; with `+` when files are changed since. */
export function currentCommit(): string {
  const git = (...argv: string[]) => execFileSync("git", argv, { encoding: "utf8", cwd: import.meta.dirname }).trim();
  const changed =
    git("status", "--porcelain", "--", ":/", ":!/test/bench/results", ":!/test/all/results", ":!/docs") !== "";
  return `${git("rev-parse", "--short", "HEAD")}${changed ? "+" : ""}`;
}

function fsyncMs(): number {
  const folder = mkdtempSync(path.join(tmpdir(), "hps-bench-fsync-"));
  const file = openSync(path.join(folder, "probe"), "w");
  try {
    const page = Buffer.alloc(4096, 1);
    const times = Array.from({ length: 50 }, () => {
      const start = performance.now();
      writeSync(file, page);
      fsyncSync(file);
      return performance.now() - start;
    });
    return Number(quantile(times, 0.5).toFixed(2));
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}
