/** How long a user waits for a program to start. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type BenchState, CLUSTER, initState, makeBundles, PROGRAM, startHpsd, temporaryFolder } from "./bench-hpsd.ts";
import { fillStore } from "./fleet.ts";
import { median } from "./quantiles.ts";
import { type Measured, type Row, row } from "./row.ts";

const HOSTS = 1_000;
const ROUNDS = 21;
const HPSD_ROUNDS = 7;

export async function start(): Promise<Measured> {
  makeBundles();
  using folder = temporaryFolder();
  const state = initState(folder.path);
  await fillStore(state.state, { hosts: HOSTS, withAgents: false });
  const ready = await timesOfHpsd(state);
  const hpsd = await startHpsd(state);
  try {
    const env = { ...process.env, HPSCONFIG: `${folder.path}/contexts.yaml`, HOME: folder.path };
    const run = (...argv: string[]) => timeOf([process.execPath, PROGRAM.hpsctl, ...argv], env);
    const login = ["login", `https://localhost:${hpsd.httpsPort}`, "--token", "-"];
    execFileSync(process.execPath, [PROGRAM.hpsctl, ...login, "--server", `localhost:${hpsd.grpcPort}`], {
      env,
      input: readFileSync(state.invitation),
    });
    const times = await byTurns({
      node: () => timeOf([process.execPath, "-e", "0"], env),
      openssl: () => timeOf(["openssl", "version"], env),
      help: () => run("--help"),
      ls: () => run("host", "ls"),
      get: () => run("host", "get", `${CLUSTER}/node00500`),
    });
    return { rows: rowsOf(times, ready), notes: NOTES };
  } finally {
    await hpsd.program.stop();
  }
}

async function timesOfHpsd(state: BenchState): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < HPSD_ROUNDS; round += 1) {
    const begin = performance.now();
    const { program } = await startHpsd(state);
    times.push(performance.now() - begin);
    await program.stop();
  }
  return median(times);
}

async function timeOf([command = "", ...argv]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const begin = performance.now();
  const child = spawn(command, argv, { env, stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ${argv.join(" ")} ended with ${code}: ${complaint}`);
  return performance.now() - begin;
}

type Times<N extends string> = Readonly<Record<N, number>>;

/** All by turns, so that what else the machine does hits each of them; their medians. */
async function byTurns<N extends string>(of: Readonly<Record<N, () => Promise<number>>>): Promise<Times<N>> {
  const names = Object.keys(of).filter((name): name is N => name in of);
  const all = new Map<N, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) all.get(name)?.push(await of[name]());
  }
  const medians = names.map((name) => [name, median(all.get(name) ?? [])] as const);
  // Wire boundary of the types: every name is there.
  return Object.fromEntries(medians) as Times<N>;
}

function rowsOf(
  { node, openssl, help, ls, get }: Times<"node" | "openssl" | "help" | "ls" | "get">,
  ready: number,
): Row[] {
  const peer = { name: "node -e 0", value: node };
  return [
    row("hpsctl --help", help, "ms", { peer, budget: 150 }),
    row(`hpsctl host ls, ${HOSTS} hosts`, ls, "ms", { peer, budget: 400 }),
    row("hpsctl host get", get, "ms", { peer }),
    row(`hpsd serve to ready, ${HOSTS} hosts`, ready, "ms", { peer }),
    row("openssl version, for scale", openssl, "ms"),
  ];
}

const NOTES = [
  `Bundles as they ship, files in the page cache; medians of ${ROUNDS} runs by turns (hpsd: ${HPSD_ROUNDS}).`,
];
