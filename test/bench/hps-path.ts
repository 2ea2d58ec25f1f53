/** hpsctl, hpsd and agents as they ship, on the loopback network: an operator who is logged in, and hosts that are attached. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { readCertificatesPem } from "../../certs/files.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { type Program, startProgram } from "../lab/program.ts";
import { type BenchHpsd, type BenchState, CLUSTER, initState, PROGRAM, startHpsd } from "./bench-hpsd.ts";
import { type Fleet, fillStore } from "./fleet.ts";

export interface HpsPath {
  /** On the first host. */
  readonly terminal: () => readonly string[];
  readonly command: (...words: readonly string[]) => readonly string[];
  /** For hpsctl, and for `connect` of the SDK. */
  readonly environment: Readonly<Record<string, string>>;
  readonly hosts: readonly string[];
  readonly hpsd: BenchHpsd;
  readonly stop: () => Promise<void>;
}

/** Every tenth host of a fleet is one that is being installed: those are left out. */
const INSTALLING = 10;

/** Starts an hpsd with so many hosts attached to it. */
export async function startHpsPath(folder: string, hosts: number): Promise<HpsPath> {
  const state = initState(folder);
  const fleet = await fillStore(state.state, { hosts: hosts + Math.ceil(hosts / (INSTALLING - 1)), withAgents: true });
  const hpsd = await startHpsd(state);
  const programs: Program[] = [hpsd.program];
  const stop = async () => {
    for (const program of programs.splice(0).reverse()) await program.stop();
  };
  try {
    const environment = login(state, hpsd);
    const numbers = fleet.hostIds.flatMap((_, number) => (number % INSTALLING === 0 ? [] : [number])).slice(0, hosts);
    for (const number of numbers) programs.push(await startAgent({ folder, fleet, number, hpsd }));
    const names = numbers.map((number) => `${CLUSTER}/node${String(number).padStart(5, "0")}`);
    const shell = [process.execPath, PROGRAM.hpsctl, "installer-shell", names[0] ?? ""];
    const command = (...words: readonly string[]) => [...shell, "--", ...words];
    return { terminal: () => shell, command, environment, hosts: names, hpsd, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function login({ folder, invitation }: BenchState, { grpcPort, httpsPort }: BenchHpsd): Record<string, string> {
  const environment = { HPSCONFIG: join(folder, "contexts.yaml"), HOME: folder };
  const words = ["login", `https://localhost:${httpsPort}`, "--token", "-", "--server", `localhost:${grpcPort}`];
  const env = { ...process.env, ...environment };
  execFileSync(process.execPath, [PROGRAM.hpsctl, ...words], { env, input: readFileSync(invitation) });
  return environment;
}

interface AgentWish {
  readonly folder: string;
  readonly fleet: Fleet;
  readonly number: number;
  readonly hpsd: BenchHpsd;
}

/** An installed host's agent, with what an installation would have left it. */
async function startAgent({ folder, fleet, number, hpsd }: AgentWish): Promise<Program> {
  const place = join(folder, `agent-${number}`);
  mkdirSync(place, { mode: 0o700 });
  const { key = "", cert = "" } = fleet.agents[number] ?? {};
  const write = (name: string, text: string) => writeFileSync(join(place, name), text, { mode: 0o600 });
  write("agent.key", key);
  write("agent.crt", cert);
  const [leaf] = readCertificatesPem(cert, "the fleet");
  if (leaf === undefined) throw new Error(`no certificate for agent ${number}`);
  const { trustDomain } = certificateIdentity(leaf);
  const ports = { grpc: `localhost:${hpsd.grpcPort}`, https: `https://localhost:${hpsd.httpsPort}` };
  write("contact.json", JSON.stringify({ ...ports, trustDomain, rootCertificate: fleet.ca }));
  write("image", "debian:12\n");
  write("facts.json", JSON.stringify({ macs: ["52:54:00:00:00:01"], serial: "bench", uuid: newUuid() }));
  const argv = [PROGRAM.agent, "--mode", "host", "--state", place, "--facts", join(place, "facts.json")];
  return await startProgram({ argv: [process.execPath, ...argv], readyLine: /attached/ });
}
