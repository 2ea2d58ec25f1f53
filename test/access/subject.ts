/** The object a valid request names: made by the core itself, in the state in which the method can succeed. */
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { makeKey } from "../../certs/key.ts";
import { CommandSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { StartSessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { parseHostName } from "../../proto/values/host-name.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { actorOfCaller } from "../../server/core/audit/audit.ts";
import type { HostEvent } from "../../server/core/hosts/life-cycle.ts";
import { parseShellStart } from "../../server/core/shells/shell-start.ts";
import type { Peer } from "./identities.ts";
import { type Rig, ROOT } from "./rig.ts";

export interface Wish {
  readonly state?: "armed" | "awaiting" | "installing" | "failed" | "frozen" | "rebooting";
  /** Whether an agent is there, and whether it takes part in shells by itself. */
  readonly agent?: "attached" | "serves";
  /** A shell session: one that waits for the agent or for another operator's approval, or one that is over. */
  readonly session?: "waiting" | "asked" | "over";
}

export interface Subject {
  readonly hostId: string;
  readonly hostName: string;
  /** Empty where the host rests. */
  readonly installationId: string;
  readonly sessionId: string;
  /** Commands that its agent got and did, but shells. */
  readonly told: readonly string[];
  /** What only this method needs: a name, a serial number, a certificate. */
  extra: string;
  /** The last sequence numbers before it was made. */
  readonly before: { readonly change: number; readonly audit: number };
  /** Identities that are about it. */
  readonly peers: Map<string, Peer>;
  readonly dispose: () => Promise<void>;
}

const EVENTS: Record<NonNullable<Wish["state"]>, readonly HostEvent[]> = {
  armed: [],
  awaiting: [],
  installing: ["enrol"],
  failed: ["enrol", "fail"],
  frozen: ["enrol", "conflict"],
  rebooting: ["enrol", "finish"],
};

let count = 0;

/** Another with each call, for names and addresses that must be new. */
export function fresh(): number {
  count += 1;
  return count;
}

export function macOf(number: number): string {
  return `52:54:00:00:${number.toString(16).padStart(4, "0").replace(/(..)/, "$1:")}`;
}

export function plainHost(number: number) {
  const plain = { addresses: [], profile: "", tags: new Map(), resume: "never", network: "dhcp" } as const;
  return { name: parseHostName(`h${number}`), macs: [parseMac(macOf(number))], ...plain };
}

/** Waits for what the core does after an answer. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`still not so: ${what}`);
    await delay(2);
  }
}

export async function prepare(rig: Rig, wish: Wish): Promise<Subject> {
  const { core, clusters, book } = rig;
  const before = { change: book.last("change"), audit: book.last("audit") };
  const number = fresh();
  const { id: hostId, name: hostName } = await core.hosts.create(ROOT, clusters.a, plainHost(number));
  const installationId = wish.state === undefined ? "" : await install(rig, hostId, wish.state);
  const shells = await openShells(rig, { hostId, hostName }, wish);
  const peers = new Map<string, Peer>();
  const dispose = async () => {
    for (const { wire } of peers.values()) wire.close();
    await shells.close();
  };
  return {
    hostId,
    hostName,
    installationId,
    sessionId: shells.sessionId,
    told: shells.told,
    extra: "",
    before,
    peers,
    dispose,
  };
}

async function install({ core }: Rig, hostId: string, state: NonNullable<Wish["state"]>): Promise<string> {
  const wish = { windowMs: 3_600_000, image: "debian:12", wipeDiskSerials: ["S1"] };
  const { id } = await core.installations.arm(ROOT, hostId, wish);
  for (const event of EVENTS[state]) {
    await core.store.write((tx) => core.installations.apply(tx, id, event, { actor: "test" }));
  }
  if (state === "awaiting") {
    const { claim } = await core.gate.claims.issue(ROOT, id);
    const asked = { token: claim.token, publicKey: makeKey().publicKey, facts: undefined, address: "192.0.2.7" };
    const { kind } = await core.gate.enrolment.enrol(asked);
    if (kind !== "pending") throw new Error(`the agent does not wait for approval: ${kind}`);
  }
  const line = { installation_id: id, sequence: 1, at: 1, source: "agent", text: Buffer.from("hello") };
  await core.store.write(async (tx) => {
    await tx.insertInto("log_line").values(line).execute();
    await tx.updateTable("installation").set({ last_log: 1 }).where("id", "=", id).execute();
  });
  return id;
}

/** An agent without a wire, and the session it is told to open. */
async function openShells(
  rig: Rig,
  { hostId, hostName }: Pick<Subject, "hostId" | "hostName">,
  { agent, session }: Wish,
) {
  if (agent === undefined) return { sessionId: "", told: [], close: async () => undefined };
  const { core, clusters } = rig;
  const opened = Promise.withResolvers<string>();
  const told: string[] = [];
  const attached = core.presence.attach({
    ...{ identity: core.authority.uriOf("host", hostId), hostId, clusterId: clusters.a, runId: newUuid() },
    ...{ address: "192.0.2.7", version: versionOf(hostName), close: () => undefined },
    send: (init) => {
      const { id, command } = create(CommandSchema, init);
      if (command.case !== "openShell") told.push(command.case ?? "nothing");
      else {
        opened.resolve(command.value.session);
        if (agent === "serves") core.shells.serve(command.value.session);
      }
      attached.answered(id, "");
    },
  });
  const cancel = new AbortController();
  const asked = session === "asked" ? await askForSession(rig, hostId, cancel.signal) : undefined;
  if (session !== undefined && asked === undefined) {
    const start = parseShellStart(create(StartSessionSchema, { command: ["true"], reason: "test" }));
    core.shells.open(ROOT, hostId, start, cancel.signal).then(
      // The first thing the agent's end is sent.
      async (open) => {
        cancel.signal.addEventListener("abort", () => open.leave("test"));
        await open.send({ case: "input", value: Buffer.from("typed") });
      },
      () => undefined,
    );
  }
  const sessionId = session === undefined ? "" : (asked ?? (await opened.promise));
  const close = async () => {
    cancel.abort();
    attached.detach();
    await until("no session is open", () => !hasOpenSession(rig, hostId));
  };
  if (session === "over") {
    cancel.abort();
    await until("the session is over", () => !hasOpenSession(rig, hostId));
  }
  return { sessionId, told, close };
}

/** One that waits for another operator's approval, which its cluster wants of no other. */
async function askForSession({ core, clusters }: Rig, hostId: string, signal: AbortSignal): Promise<string> {
  const require = async (approvalRequired: boolean) =>
    await core.clusters.update(
      actorOfCaller(ROOT),
      clusters.a,
      { shellPolicy: { approvalRequired, direct: !approvalRequired } },
      "",
    );
  await require(true);
  const start = parseShellStart(create(StartSessionSchema, { command: ["true"], reason: "test" }));
  const participant = await core.shells.open(ROOT, hostId, start, signal);
  signal.addEventListener("abort", () => participant.leave("test"));
  await require(false);
  return participant.session.id;
}

export function hasOpenSession({ book }: Rig, hostId: string): boolean {
  return book.value("SELECT id FROM session WHERE host_id = ? AND ended_at IS NULL", hostId) !== undefined;
}

/** Of the host's agent: no other host's has it. */
export function versionOf(hostName: string): string {
  return `0.0.${hostName.slice(1)}`;
}
