/** An hpsd of its own, from the bundles that ship. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Program, startProgram } from "../lab/program.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

/** The programs as they ship. */
export const PROGRAM = {
  hpsd: `${ROOT}/dist/hpsd.js`,
  hpsctl: `${ROOT}/dist/hpsctl.js`,
  agent: `${ROOT}/dist/hps-agent.js`,
} as const;

export function makeBundles(): void {
  execFileSync(process.execPath, ["scripts/build.mts"], { cwd: ROOT, stdio: "inherit" });
}

/** A folder for this run, gone with the scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const folder = mkdtempSync(path.join(tmpdir(), "hps-bench-"));
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What `hpsd init` makes, in a folder. */
export interface BenchState {
  readonly folder: string;
  readonly config: string;
  readonly state: string;
  readonly invitation: string;
}

export const CLUSTER = "bench";

export function initState(folder: string): BenchState {
  const [config, state, passphrase] = [`${folder}/hpsd.yaml`, `${folder}/state`, `${folder}/passphrase`];
  const invitation = `${folder}/invitation`;
  writeFileSync(passphrase, `${randomUUID()}\n`, { mode: 0o600 });
  const flags = ["--config", config, "--state", state, "--name", "localhost", "--cluster", CLUSTER];
  const whom = ["--domain", "bench.example.org", "--admission", "armed", "--operator", "bench"];
  const files = ["--root-key-out", `${folder}/root.key`, "--root-passphrase-file", passphrase];
  execFileSync(process.execPath, [
    ...[PROGRAM.hpsd, "init", ...flags, ...whom, ...files],
    ...["--invitation-out", invitation],
  ]);
  return { folder, config, state, invitation };
}

export interface BenchHpsd {
  readonly program: Program;
  readonly grpcPort: number;
  readonly httpsPort: number;
}

const READY = /hpsd is ready: gRPC localhost:(\d+), HTTPS https:\/\/localhost:(\d+)/;

/** `state` may be a copy of the folder that the configuration names; `more` is set as well. */
export async function startHpsd(
  { config, state }: Pick<BenchState, "config" | "state">,
  more: readonly string[] = [],
): Promise<BenchHpsd> {
  const sets = [`state=${state}`, "listen.grpc=127.0.0.1:0", "listen.https=127.0.0.1:0", "log.level=warn", ...more];
  const node = [process.execPath, ...(process.env.BENCH_NODE_FLAGS?.split(" ") ?? [])];
  const argv = [...node, PROGRAM.hpsd, "serve", "--config", config, ...sets.flatMap((set) => ["--set", set])];
  const program = await startProgram({ argv, readyLine: READY });
  const [, grpc, https] = READY.exec(program.output()) ?? [];
  return { program, grpcPort: Number(grpc), httpsPort: Number(https) };
}
