/** Many agents on one hpsd: acknowledgement latency, memory of an agent, what is busy. Beside bare grpc-js streams. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { startBare } from "./bare-server.ts";
import { initState, makeBundles, startHpsd, temporaryFolder } from "./bench-hpsd.ts";
import { type Fleet, fillStore } from "./fleet.ts";
import { LoadProcess } from "./load-process.ts";
import { residentBytes, threadSeconds, type Use, useBetween } from "./process-use.ts";
import { median, quantile } from "./quantiles.ts";
import { type Measured, type Row, row } from "./row.ts";

const SIZES = [1_000, 5_000, 10_000];
const WARM_UP_MS = 10_000;
const MEASURE_MS = 40_000;
/** Of a server that has just started, before its memory is taken for what it needs without agents. */
const SETTLE_MS = 3_000;
const PEER = "grpc-js";

/** `argv`: numbers of agents, instead of the usual ones. */
export async function agents(argv: readonly string[]): Promise<Measured> {
  const sizes = argv.length === 0 ? SIZES : argv.map(Number);
  makeBundles();
  using folder = temporaryFolder();
  const state = initState(folder.path);
  const fleet = await fillStore(state.state, { hosts: Math.max(...sizes), withAgents: true });
  const fleetFile = `${folder.path}/fleet.json`;
  writeFileSync(fleetFile, JSON.stringify(fleet), { mode: 0o600 });
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const size of sizes) {
    const copy = `${folder.path}/state-${size}`;
    // hpsd refuses keys that others may read, which is what Node's own copy makes of their folder.
    execFileSync("cp", ["-a", state.state, copy]);
    const ours = await measureHpsd({ ...state, state: copy }, fleetFile, size);
    const bare = await measureBare(folder.path, fleet, fleetFile, size);
    rows.push(...rowsOf(size, ours, bare));
    notes.push(useNote(size, ours, bare));
  }
  return { rows, notes: [...notes, ...LIMITS] };
}

interface Sample {
  readonly attachMs: number;
  readonly latencies: readonly number[];
  readonly lags: readonly number[];
  readonly lost: number;
  readonly bytesPerAgent: number;
  readonly peakBytesPerAgent: number;
  readonly use: Use;
}

async function measureHpsd(state: { config: string; state: string }, fleetFile: string, size: number): Promise<Sample> {
  const { program, grpcPort } = await startHpsd(state);
  try {
    return await measure({ fleetFile, port: grpcPort, target: "hpsd", from: 0, count: size }, program.pid);
  } finally {
    await program.stop();
  }
}

async function measureBare(folder: string, fleet: Fleet, fleetFile: string, size: number): Promise<Sample> {
  const { program, port } = await startBare(folder, fleet);
  try {
    return await measure({ fleetFile, port, target: "bare", from: 0, count: size }, program.pid);
  } finally {
    await program.stop();
  }
}

async function measure(order: Parameters<LoadProcess["attach"]>[0], pid: number): Promise<Sample> {
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  using load = new LoadProcess();
  const attachMs = await load.attach(order);
  const running = load.run(WARM_UP_MS, MEASURE_MS);
  await sleep(WARM_UP_MS);
  const [started, at] = [threadSeconds(pid), performance.now()];
  const memory: number[] = [];
  const watch = setInterval(() => memory.push(residentBytes(pid)), 500);
  await sleep(MEASURE_MS);
  clearInterval(watch);
  const use = useBetween(started, threadSeconds(pid), (performance.now() - at) / 1000);
  const { latencies, lags, lost } = await running;
  return {
    ...{ attachMs, latencies, lags, lost, use },
    bytesPerAgent: (median(memory) - before) / order.count,
    peakBytesPerAgent: (Math.max(...memory) - before) / order.count,
  };
}

function rowsOf(size: number, ours: Sample, bare: Sample): Row[] {
  const named = (metric: string) => `${size} agents: ${metric}`;
  const beside = (value: number) => ({ peer: { name: PEER, value } });
  const latency = (q: number) => [quantile(ours.latencies, q), quantile(bare.latencies, q)] as const;
  const rate = ({ latencies }: Sample) => latencies.length / (MEASURE_MS / 1000);
  const perSecond = ({ attachMs }: Sample) => (size / attachMs) * 1000;
  const [p50, p50Bare] = latency(0.5);
  const [p99, p99Bare] = latency(0.99);
  return [
    row(named("attached"), perSecond(ours), "agents/s", beside(perSecond(bare))),
    row(named("events acknowledged"), rate(ours), "events/s", beside(rate(bare))),
    row(named("acknowledgement p50"), p50, "ms", beside(p50Bare)),
    row(named("acknowledgement p99"), p99, "ms", { ...beside(p99Bare), budget: 250 }),
    row(named("memory"), ours.bytesPerAgent / 1000, "kB/agent", {
      ...beside(bare.bytesPerAgent / 1000),
      budget: 128,
    }),
    row(named("memory at its peak"), ours.peakBytesPerAgent / 1000, "kB/agent", beside(bare.peakBytesPerAgent / 1000)),
    row(named("processor"), ours.use.total, "cores", beside(bare.use.total)),
    row(named("never acknowledged"), ours.lost, "events", { budget: 0 }),
  ];
}

function useNote(size: number, ours: Sample, bare: Sample): string {
  const busiest = [...ours.use.cores].filter(([, share]) => share >= 0.01).sort(([, a], [, b]) => b - a);
  const threads = busiest.map(([name, share]) => `${name} ${(share * 100).toFixed(0)} %`).join(", ");
  const lag = ({ lags }: Sample) => quantile(lags, 0.99).toFixed(1);
  return `${size} agents: threads of hpsd, of one core: ${threads}. The load generator wrote late by ${lag(ours)} ms (p99), beside grpc-js by ${lag(bare)} ms.`;
}

const LIMITS = [
  `Load generator and server share ${cpus().length} cores. Each agent has its own connection and certificate; heartbeats every 30 s; every tenth installs, 2 events/s.`,
];
