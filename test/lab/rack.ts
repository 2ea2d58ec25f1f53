import { HpsError } from "../../proto/values/hps-error.ts";
import { type DhcpOptions, type DhcpResult, runDhcpClient } from "./dhcp-client.ts";
import { ownNamespace, reapLeftovers, removeNamespaces } from "./janitor.ts";
import { type Program, type ProgramOptions, startProgram } from "./program.ts";
import { type Finished, must, type RunOptions, run } from "./run.ts";

export interface RackOptions {
  /** MAC addresses of the clients made at once; more by `addClient`. */
  readonly clients?: readonly string[];
  /** The server's address on the bridge, with prefix length. */
  readonly serverAddress?: string;
}

/** One machine's place in the rack: a namespace with one NIC. */
export interface RackClient {
  readonly ns: string;
  readonly mac: string;
  /** Always `eth0`. */
  readonly nic: string;
  run(argv: readonly string[], options?: Omit<RunOptions, "ns">): Promise<Finished>;
  /** One exchange by udhcpc; when bound, the address, the route and nothing else are set on the NIC. */
  dhcp(options?: DhcpOptions): Promise<DhcpResult>;
}

/** A network that exists only for a test: a server namespace with a bridge, and clients plugged into it. */
export interface Rack {
  /** The server's namespace; its NIC is the bridge. */
  readonly server: { readonly ns: string; readonly nic: string; readonly address: string };
  readonly clients: readonly RackClient[];
  client(index: number): RackClient;
  addClient(mac: string): Promise<RackClient>;
  /** Runs in the server's namespace. */
  run(argv: readonly string[], options?: Omit<RunOptions, "ns">): Promise<Finished>;
  /** Starts a program in the server's namespace; it is killed at `dispose`. */
  start(options: Omit<ProgramOptions, "ns">): Promise<Program>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const BRIDGE = "br0";
/** Said, else it would change with each machine plugged in, and its neighbours would talk to the old one for a while. */
const BRIDGE_MAC = "02:68:70:73:00:01";
let racks = 0;

async function makeNamespace(ns: string): Promise<void> {
  ownNamespace(ns); // before it exists: a crash in between leaves nothing
  await must(["ip", "netns", "add", ns]);
  await must(["ip", "-n", ns, "link", "set", "lo", "up"]);
}

async function plugIn(server: string, port: string, mac: string): Promise<RackClient> {
  const ns = `${server}-${port}`;
  await makeNamespace(ns);
  const peer = ["peer", "name", "eth0", "address", mac, "netns", ns];
  await must(["ip", "-n", server, "link", "add", port, "type", "veth", ...peer]);
  await must(["ip", "-n", server, "link", "set", port, "master", BRIDGE, "up"]);
  await must(["ip", "-n", ns, "link", "set", "eth0", "up"]);
  return {
    ns,
    mac,
    nic: "eth0",
    run: (argv, options) => run(argv, { ...options, ns }),
    dhcp: (options) => runDhcpClient(ns, options),
  };
}

/** Builds the rack. Needs root; names carry this process's pid, so racks of parallel runs never meet. */
export async function createRack(options: RackOptions = {}): Promise<Rack> {
  if (process.getuid?.() !== 0) throw new HpsError("precondition", "the lab needs root to make network namespaces");
  await reapLeftovers();
  racks += 1;
  const ns = `hps${process.pid}-${racks}`;
  const address = options.serverAddress ?? "10.77.0.1/24";
  const clients: RackClient[] = [];
  const programs: Program[] = [];
  const dispose = async () => {
    await Promise.all(programs.splice(0).map((program) => program.stop("SIGKILL")));
    await removeNamespaces([...clients.splice(0).map((client) => client.ns), ns]);
  };
  const rack: Rack = {
    server: { ns, nic: BRIDGE, address: address.replace(/\/.*/, "") },
    clients,
    client(index) {
      const found = clients[index];
      if (found === undefined) throw new HpsError("out-of-range", `the rack has no client ${index}`);
      return found;
    },
    async addClient(mac) {
      const client = await plugIn(ns, `p${clients.length}`, mac);
      clients.push(client);
      return client;
    },
    run: (argv, runOptions) => run(argv, { ...runOptions, ns }),
    async start(programOptions) {
      const program = await startProgram({ ...programOptions, ns });
      programs.push(program);
      return program;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  try {
    await makeNamespace(ns);
    await must(["ip", "-n", ns, "link", "add", BRIDGE, "address", BRIDGE_MAC, "type", "bridge", "forward_delay", "0"]);
    await must(["ip", "-n", ns, "addr", "add", address, "dev", BRIDGE]);
    await must(["ip", "-n", ns, "link", "set", BRIDGE, "up"]);
    for (const mac of options.clients ?? []) await rack.addClient(mac);
  } catch (error) {
    await dispose();
    throw error;
  }
  return rack;
}
