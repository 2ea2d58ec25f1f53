/** A real hpsd: its own process, folder, configuration and ports on loopback, and what a test needs to speak to it. */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, type Hps } from "../../client/sdk/connect.ts";
import { hpsctl } from "../../client/testing/hpsctl.ts";
import { openHpsStore } from "../../server/store/database.ts";
import { type Program, startProgram } from "../lab/program.ts";
import { type Finished, run } from "../lab/run.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const READY = /hpsd is ready/;
const PASSPHRASE = "correct horse battery staple";

export interface HpsdOptions {
  /** Where the state lies; default: in the test's own folder. */
  readonly state?: string;
  /** Lines of YAML behind what init needs. */
  readonly config?: string;
  /** What init is told besides. */
  readonly init?: readonly string[];
}

export interface RealHpsd extends AsyncDisposable {
  /** Holds all of it; removed at the end. */
  readonly folder: string;
  readonly config: string;
  readonly state: string;
  readonly grpc: number;
  readonly https: number;
  readonly rootKey: string;
  readonly passphraseFile: string;
  /** Of the last process that was started. */
  readonly program: () => Program;
  /** Starts `hpsd serve` and waits until it is ready. */
  readonly start: (options?: { readonly config?: string }) => Promise<Program>;
  /** Runs another hpsd command to its end; `--config` is added. */
  readonly run: (...args: readonly string[]) => Promise<Finished>;
  /** The same without a configuration. */
  readonly runPlain: (...args: readonly string[]) => Promise<Finished>;
  /** hpsctl in this process, with the contexts file of this hpsd. */
  readonly hpsctl: (...words: readonly string[]) => ReturnType<typeof hpsctl>;
  /** Exchanges an invitation for a certificate; hpsctl and `connect` use it from then on. */
  readonly login: (token: string) => Promise<void>;
  /** A connection as the operator logged in last. Closed at the end. */
  readonly connect: () => Promise<Hps>;
}

/** The command line of an hpsd. */
export function hpsdArgv(...args: readonly string[]): readonly string[] {
  return [process.execPath, MAIN, ...args];
}

/** An hpsd that `init` made and nobody started. `--admission armed`, cluster `lab`, operator `alice`, who is logged in at the first `start`. */
export async function makeHpsd(options: HpsdOptions = {}): Promise<RealHpsd> {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-fault-"));
  const [grpc = 0, https = 0] = await freePorts(2);
  const state = options.state ?? path.join(folder, "state");
  const config = path.join(folder, "hpsd.yaml");
  const passphraseFile = path.join(folder, "passphrase");
  await writeFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  await writeFile(config, configText({ state, grpc, https }, options.config ?? ""));
  const opened: Hps[] = [];
  const programs: Program[] = [];
  const environment = { HPSCONFIG: path.join(folder, "hpsctl.yaml") };
  const call = (...words: readonly string[]) => hpsctl({ environment }, words);
  const hpsd: RealHpsd = {
    ...{ folder, config, state, grpc, https, passphraseFile },
    rootKey: path.join(folder, "root.key"),
    program: () => last(programs),
    start: async (from = {}) => {
      const argv = hpsdArgv("serve", "--config", from.config ?? config);
      const program = await startProgram({ argv, readyLine: READY });
      programs.push(program);
      const invitation = path.join(folder, "invitation");
      const token = await readFile(invitation, "utf8").catch(() => "");
      if (token !== "") {
        await hpsd.login(token.trim());
        await rm(invitation);
      }
      return program;
    },
    run: (...args) => run(hpsdArgv(...args, "--config", config)),
    runPlain: (...args) => run(hpsdArgv(...args)),
    hpsctl: call,
    login: async (token) => {
      const where = [`https://localhost:${https}`, "--server", `localhost:${grpc}`];
      const { code, err } = await call("login", ...where, "--token", token);
      if (code !== 0) throw new Error(`login: ${err}`);
    },
    connect: async () => {
      const hps = await connect({ environment });
      opened.push(hps);
      return hps;
    },
    [Symbol.asyncDispose]: async () => {
      for (const hps of opened) hps.close();
      await Promise.all(programs.map((program) => program.stop("SIGKILL")));
      await rm(folder, { recursive: true, force: true });
    },
  };
  const made = await hpsd.run(...initArgs(hpsd), ...(options.init ?? []));
  if (made.code !== 0) throw new Error(`hpsd init: ${made.stderr}`);
  return hpsd;
}

/** The same, running, and a connection of its first operator, an admin of everything. */
export async function startHpsd(options: HpsdOptions = {}): Promise<RealHpsd & { readonly admin: Hps }> {
  const hpsd = await makeHpsd(options);
  try {
    await hpsd.start();
    return { ...hpsd, admin: await hpsd.connect() };
  } catch (error) {
    await hpsd[Symbol.asyncDispose]();
    throw error;
  }
}

/** What `hpsd init` is told, but the configuration. */
export function initArgs(at: Pick<RealHpsd, "folder" | "rootKey" | "passphraseFile">): readonly string[] {
  return [
    ...["init", "--cluster", "lab", "--domain", "lab.example", "--admission", "armed", "--operator", "alice"],
    ...["--root-key-out", at.rootKey, "--root-passphrase-file", at.passphraseFile],
    ...["--invitation-out", path.join(at.folder, "invitation")],
  ];
}

/** What PRAGMA integrity_check finds wrong in the store of an hpsd that is stopped. */
export async function damageOf({ state }: Pick<RealHpsd, "state">): Promise<readonly string[]> {
  const store = await openHpsStore(`${state}/hpsd.db`);
  try {
    return await store.integrityCheck();
  } finally {
    await store.close();
  }
}

/** Looks again and again until `done`; how long that took, in milliseconds. */
export async function until(what: string, limitMs: number, done: () => boolean | Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await done())) {
    if (performance.now() - began > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(20);
  }
  return performance.now() - began;
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kib) * 1024;
}

/** A configuration with every address on loopback. */
export function configText(at: { readonly state: string; readonly grpc: number; readonly https: number }, more = "") {
  return `state: ${JSON.stringify(at.state)}
server:
  names: [localhost, 127.0.0.1]
listen:
  grpc: 127.0.0.1:${at.grpc}
  https: 127.0.0.1:${at.https}
${more === "" ? DEFAULT_MORE : more}`;
}

const DEFAULT_MORE = `limits:
  connectionsPerAddress: 2000
  requestsPerMinute: 100000
  enrolmentsPerMinute: 10000
log:
  level: warn
`;

/** Ports nobody uses now, and that no outgoing connection is given while hpsd is away: below the kernel's own range. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!found.includes(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function last(programs: readonly Program[]): Program {
  const program = programs.at(-1);
  if (program === undefined) throw new Error("no hpsd was started");
  return program;
}
