import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { connect, type Hps } from "../../client/sdk/connect.ts";
import { forwardInto } from "./forward.ts";
import { labFolder } from "./janitor.ts";
import { Machine } from "./machine.ts";
import { type Program, startProgram } from "./program.ts";
import { createRack, type Rack } from "./rack.ts";
import { type Finished, must, run } from "./run.ts";

const SERVER = "10.77.0.1";
const program = (path: string) => [process.execPath, new URL(`../../${path}`, import.meta.url).pathname];
const HPSD = program("server/main.ts");
const HPSCTL = program("client/main.ts");

export interface HpsdRackOptions {
  /** MAC addresses of the machines. */
  readonly machines: readonly string[];
  /** Default: `armed`. */
  readonly admission?: "armed" | "approve";
  /** `proxy`: another DHCP server is the test's to start. Default: `dhcp`. */
  readonly mode?: "dhcp" | "proxy";
  /** `--set` of hpsd: `boot.window=10s`. */
  readonly sets?: readonly string[];
}

/** hpsd as it is, on a network of its own, with an operator logged in. */
export interface HpsdRack extends AsyncDisposable {
  readonly rack: Rack;
  /** Everything of this rack: `state` is hpsd's own folder, `state-dnsmasq` dnsmasq's. */
  readonly folder: string;
  /** The one that runs now. */
  readonly hpsd: () => Program;
  /** Ends hpsd by this signal and starts it again, at once or when it was away for so long. */
  readonly restart: (signal: NodeJS.Signals, awayMs?: number) => Promise<void>;
  /** As the operator `root`, an admin of everything. */
  readonly hps: Hps;
  readonly machine: (index: number) => Machine;
  /** Runs the real command as that operator, beside hpsd. */
  readonly hpsctl: (...words: readonly string[]) => Promise<Finished>;
  /** What makes hpsctl that operator's, in the rack's server namespace. */
  readonly environment: Readonly<Record<string, string>>;
  /** Everything that hpsd, dnsmasq and the agents printed so far. */
  readonly printed: () => string;
}

/** The cluster is `lab`, its domain `lab.example.test`; unknown machines get `.100` to `.119`. */
export async function startHpsdRack(options: HpsdRackOptions): Promise<HpsdRack> {
  const undo: (() => unknown)[] = [];
  const dispose = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await start(options, undo)), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function start(options: HpsdRackOptions, undo: (() => unknown)[]) {
  const { machines: macs, admission = "armed", mode = "dhcp", sets = [] } = options;
  const folder = await labFolder();
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const rack = await createRack({ clients: macs });
  undo.push(() => rack.dispose());
  const token = await initHpsd(folder, admission, mode);
  const serve = () =>
    startProgram({
      ns: rack.server.ns,
      argv: [...HPSD, "serve", "--config", configFile(folder), ...sets.flatMap((set) => ["--set", set])],
      readyLine: /hpsd is ready/,
    });
  const runs = [await serve()];
  const hpsd = () => runs.at(-1) ?? expect.unreachable();
  undo.push(() => hpsd().stop());
  const restart = async (signal: NodeJS.Signals, awayMs = 0) => {
    await hpsd().stop(signal);
    await sleep(awayMs);
    runs.push(await serve());
  };
  const env = { HPSCONFIG: join(folder, "hpsctl", "config.yaml"), HOME: folder };
  const hpsctl = (...words: readonly string[]) => run([...HPSCTL, ...words], { ns: rack.server.ns, env });
  const login = [...HPSCTL, "--cluster", "lab", "login", `https://${SERVER}:7444`, "--token", "-", "--name", "lab"];
  await must(login, { ns: rack.server.ns, env, input: token });
  const forward = await forwardInto(rack.server.ns, SERVER, 7443);
  undo.push(() => forward.close());
  const hps = await connect({ environment: env, server: `127.0.0.1:${forward.port}` });
  undo.push(() => hps.close());
  const machines = rack.clients.map((client) => new Machine({ client, folder, server: SERVER }));
  undo.push(() => Promise.all(machines.map((machine) => machine.stop())));
  const printed = () =>
    [...runs.map((run) => run.output()), ...machines.map((machine) => machine.printed())].join("\n");
  const machine = (index: number) => {
    const found = machines[index];
    if (found === undefined) throw new Error(`the rack has no machine ${index}`);
    return found;
  };
  return { rack, folder, hpsd, restart, hps, machine, hpsctl, environment: env, printed };
}

const configFile = (folder: string) => join(folder, "hpsd.yaml");

/** Answers with the first operator's invitation. */
async function initHpsd(folder: string, admission: "armed" | "approve", mode: "dhcp" | "proxy"): Promise<string> {
  const config = `state: ${join(folder, "state")}
server: { names: [${SERVER}, 127.0.0.1, hpsd.example.test] }
log: { level: debug }
boot:
  interface: br0
  address: ${SERVER}
  mode: ${mode}
  network: 10.77.0.0/24
${mode === "dhcp" ? "  range: { from: 10.77.0.100, to: 10.77.0.119 }\n" : ""}`;
  await writeFile(configFile(folder), config);
  const [passphrase, invitation] = [join(folder, "passphrase"), join(folder, "invitation")];
  await writeFile(passphrase, "correct horse battery staple\n", { mode: 0o600 });
  const answers = ["--cluster", "lab", "--domain", "lab.example.test", "--admission", admission, "--operator", "root"];
  const files = ["--root-key-out", join(folder, "root.key"), "--root-passphrase-file", passphrase];
  await must([...HPSD, "init", "--config", configFile(folder), ...answers, ...files, "--invitation-out", invitation]);
  return await readFile(invitation, "utf8");
}
