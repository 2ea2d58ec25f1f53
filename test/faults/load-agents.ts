/** Many agents in this process: enrolled for real, each with its own TLS connection and the real link, with words put into their mouths. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { tlsKeyPair } from "../../certs/credentials.ts";
import type { Hps } from "../../client/sdk/connect.ts";
import type { BackoffLimits } from "../../installer-agent/link/backoff.ts";
import { enrol } from "../../installer-agent/link/enrol.ts";
import type { Identity } from "../../installer-agent/link/identity.ts";
import { Link } from "../../installer-agent/link/link.ts";
import { Outbox } from "../../installer-agent/link/outbox.ts";
import { openStateFolder } from "../../installer-agent/link/state-folder.ts";
import { createLog, type Log } from "../../installer-agent/log.ts";
import { type Claim, parseClaim } from "../../proto/config/claim.ts";
import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import { AgentService as Service } from "../../proto/gen/hps/v1/agent_pb.ts";
import { openChannel } from "../../proto/rpc/channel.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { client } from "../../proto/rpc/rpc-client.ts";
import { parseFactsJson } from "../../proto/values/facts.ts";

export const QUIET: Log = createLog("error", () => undefined);

export interface ArmedHost {
  readonly hostId: string;
  readonly installation: string;
  readonly mac: string;
  readonly claim: Claim;
}

/** A host of cluster `lab` that is armed, with an image where one is named, and a claim for it. */
export async function armHost(admin: Hps, number: number, image = ""): Promise<ArmedHost> {
  const mac = `52:54:00:${hex(number >> 16)}:${hex(number >> 8)}:${hex(number)}`;
  const host = await admin.hosts.createHost({ host: { cluster: "lab", name: `h${number}`, macs: [mac] } });
  const { id } = await admin.hosts.armHost({ host: host.id, image });
  const { claim } = await admin.installations.issueClaim({ installation: id });
  return { hostId: host.id, installation: id, mac, claim: parseClaim(claim) };
}

function hex(value: number): string {
  return (value & 255).toString(16).padStart(2, "0");
}

/** The identity this host's claim gives, kept below `folder`. */
export async function enrolHost(host: ArmedHost, folder: string, backoff: BackoffLimits): Promise<Identity> {
  const state = path.join(folder, host.hostId);
  await mkdir(state, { recursive: true, mode: 0o700 });
  const facts = parseFactsJson(JSON.stringify({ macs: [host.mac], serial: host.hostId }));
  const options = { claim: host.claim, facts, folder: await openStateFolder(state), backoff, log: QUIET };
  return await enrol(options, AbortSignal.timeout(60_000));
}

/** An agent's service over a connection of its own, for agents that say what the real link would not. */
export function rawAgent(identity: Identity): Disposable & { readonly service: Client<typeof AgentService> } {
  const { grpc, rootCertificate } = identity.contact;
  const channel = openChannel({
    address: grpc,
    version: "0.1.0",
    tls: { ...tlsKeyPair(identity.credentials), ca: rootCertificate },
  });
  return { service: client(Service, channel), [Symbol.dispose]: channel.close };
}

/** Remembers what hpsd said it has. */
class WatchedOutbox extends Outbox {
  acknowledged = 0;

  override acknowledge(sequence: bigint): void {
    super.acknowledge(sequence);
    this.acknowledged = Math.max(this.acknowledged, Number(sequence));
  }
}

export interface LoadOptions {
  readonly host: ArmedHost;
  readonly identity: Identity;
  readonly backoff: BackoffLimits;
}

/** One agent that streams numbered lines and steps until told to stop. */
export class LoadAgent {
  readonly host: ArmedHost;
  readonly #link: Link;
  readonly #outbox = new WatchedOutbox(4 * 1024 * 1024);
  readonly #firstRun = this.#outbox.runId;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** A new run would have to begin its steps anew. */
  #stepping = true;
  /** How often it was welcomed. */
  welcomes = 0;
  /** Lines and events said so far. */
  lines = 0;
  steps = 0;

  constructor({ host, identity, backoff }: LoadOptions) {
    this.host = host;
    this.#link = new Link({
      ...{ identity, backoff, version: "0.1.0", log: QUIET, outbox: this.#outbox },
      hello: () => ({ version: "0.1.0", facts: { macs: [host.mac] } }),
      onNewRun: () => {
        this.#stepping = false;
      },
      onWelcome: () => {
        this.welcomes += 1;
      },
      onCommand: async () => "",
    });
    this.#outbox.event({ case: "plan", value: { steps: STEPS } });
  }

  /** Rejects when hpsd says that this identity is over. */
  start(): void {
    this.#running = this.#link.run(this.#stop.signal);
    this.#running.catch(() => undefined);
  }

  /** The next line, and a step now and then. */
  say(): void {
    this.lines += 1;
    this.#outbox.log("load", `line ${this.lines}`);
    const step = STEPS[Math.floor(this.steps / 2)];
    if (this.#stepping && this.lines % 10 === 0 && step !== undefined) {
      const begins = this.steps % 2 === 0;
      this.#outbox.event(
        begins ? { case: "stepStarted", value: { step } } : { case: "stepSucceeded", value: { step } },
      );
      this.steps += 1;
    }
  }

  /** Many long lines at once. */
  flood(lines: number, bytes: number): void {
    for (let line = 0; line < lines; line += 1) this.#outbox.log("flood", Buffer.alloc(bytes, 120));
  }

  get waiting(): number {
    return this.#outbox.size;
  }

  get acknowledged(): number {
    return this.#outbox.acknowledged;
  }

  /** hpsd never lost what it had acknowledged. */
  get sameRun(): boolean {
    return this.#outbox.runId === this.#firstRun;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => undefined);
  }
}

const STEPS = Array.from({ length: 30 }, (_, index) => `s${index}`);

/** What the journal must hold of an agent's steps, in order. */
export function saidSteps({ steps }: LoadAgent): readonly string[] {
  return Array.from(
    { length: steps },
    (_, index) => `${index % 2 === 0 ? "stepStarted" : "stepSucceeded"} ${STEPS[Math.floor(index / 2)]}`,
  );
}

/** The whole log of an installation as hpsd has it now. */
export async function linesOf(hps: Hps, installation: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { text } of hps.watchInstallationLog(installation)) lines.push(Buffer.from(text).toString());
  return lines;
}

/** Runs `work` over the items, `width` at a time, in order of arrival. */
export async function eachOf<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  const worker = async () => {
    for (const [index, item] of entries) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
