import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Claim } from "../../proto/config/claim.ts";
import { formatClaim, parseClaim } from "../../proto/config/claim.ts";
import type { DhcpOptions } from "./dhcp-client.ts";
import { type Program, startProgram } from "./program.ts";
import type { RackClient } from "./rack.ts";
import { must } from "./run.ts";

const AGENT = new URL("../../installer-agent/main.ts", import.meta.url).pathname;
const IPXE = "iPXE/1.21.1+git-20220113";
const QUICK = ["backoff.min=100ms", "backoff.max=500ms"];

/** What the boot door answered. */
export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface AskOptions {
  /** What the request says; default: the machine's own. */
  readonly mac?: string;
  /** `User-Agent`; iPXE's unless told. */
  readonly agent?: string;
  readonly accept?: string;
  /** Path and query instead of the script's. */
  readonly path?: string;
}

/** A claim as a machine holds it. */
export interface HeldClaim {
  readonly claim: Claim;
  readonly file: string;
}

interface AgentStart {
  readonly held: HeldClaim;
  readonly facts: object;
  readonly sets?: readonly string[];
  /** A state folder of an earlier start: only the process had died. Else the machine's memory is new. */
  readonly state?: string;
}

/** One machine of the rack, which does what firmware, iPXE and the installer do: DHCP, script, claim, agent. */
export class Machine {
  readonly client: RackClient;
  readonly #folder: string;
  readonly #door: string;
  readonly #agents: Program[] = [];
  #files = 0;

  constructor(options: { readonly client: RackClient; readonly folder: string; readonly server: string }) {
    this.client = options.client;
    this.#folder = join(options.folder, options.client.ns);
    this.#door = `http://${options.server}:7080`;
  }

  /** A lease by udhcpc; the address, which is set. */
  async dhcp(options: DhcpOptions = {}): Promise<string> {
    const got = await this.client.dhcp({ tries: 10, ...options });
    if (!got.bound) throw new Error(`${this.client.mac} got no lease: ${got.log}`);
    return got.lease.address;
  }

  /** Takes an address without asking anybody. */
  async takeAddress(address: string): Promise<void> {
    const { ns } = this.client;
    await must(["ip", "-n", ns, "addr", "flush", "dev", "eth0", "scope", "global"]);
    await must(["ip", "-n", ns, "addr", "add", `${address}/24`, "dev", "eth0"]);
  }

  /** Asks the boot door, for the boot script unless told. */
  async ask({ mac = this.client.mac, agent = IPXE, accept, path }: AskOptions = {}): Promise<Reply> {
    const url = `${this.#door}${path ?? `/boot/v1/ipxe?mac=${mac}`}`;
    const headers = accept === undefined ? ["-H", "Accept:"] : ["-H", `Accept: ${accept}`];
    const argv = [
      "curl",
      "-sS",
      "--max-time",
      "20",
      "-A",
      agent,
      ...headers,
      "-w",
      "\n%{http_code} %{content_type}",
      url,
    ];
    const printed = await must(argv, { ns: this.client.ns });
    const end = printed.lastIndexOf("\n");
    const [status = "", ...type] = printed.slice(end + 1).split(" ");
    return { status: Number(status), type: type.join(" "), body: printed.slice(0, end) };
  }

  /** Fetches the claim a script names, unpacks it with cpio as the kernel does. */
  async fetchClaim(script: string): Promise<HeldClaim> {
    const url = claimUrl(script);
    const file = await this.#path("claim.json");
    const archive = await this.#path("claim.img");
    await must(["curl", "-sSf", "--max-time", "20", "-A", IPXE, "-o", archive, url], { ns: this.client.ns });
    const text = await must(["sh", "-c", 'cpio -i --quiet --to-stdout etc/hps/claim.json < "$0"', archive]);
    await writeFile(file, text, { mode: 0o600 });
    return { claim: parseClaim(text), file };
  }

  /** From power-on to the claim. */
  async boot(): Promise<HeldClaim> {
    await this.dhcp();
    return await this.fetchClaim((await this.ask()).body);
  }

  /** The same claim with hpsd elsewhere: behind a proxy of the test. */
  async rewrite({ claim }: HeldClaim, change: Partial<Pick<Claim, "grpc" | "https">>): Promise<HeldClaim> {
    const file = await this.#path("claim.json");
    await writeFile(file, formatClaim({ ...claim, ...change }), { mode: 0o600 });
    return { claim, file };
  }

  /** The real agent, as this machine. */
  async startAgent({ held, facts, sets = [], state }: AgentStart): Promise<Program> {
    const file = await this.#path("facts.json");
    await writeFile(file, JSON.stringify(facts));
    const folder = state ?? (await this.#path("state"));
    const files = ["--claim", held.file, "--facts", file, "--state", folder];
    const agent = await startProgram({
      ns: this.client.ns,
      argv: [process.execPath, AGENT, ...files, ...[...QUICK, ...sets].flatMap((set) => ["--set", set])],
    });
    this.#agents.push(agent);
    return agent;
  }

  /** What all its agents printed. */
  printed(): string {
    return this.#agents.map((agent) => agent.output()).join("\n");
  }

  /** Ends its agents. */
  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop("SIGKILL")));
  }

  async #path(name: string): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    this.#files += 1;
    return join(this.#folder, `${this.#files}-${name}`);
  }
}

/** The address of the claim in an installer's script. */
export function claimUrl(script: string): string {
  const found = /^initrd --name claim\.img (\S+)/m.exec(script)?.[1];
  if (found === undefined) throw new Error(`no claim in this script:\n${script}`);
  return found;
}
