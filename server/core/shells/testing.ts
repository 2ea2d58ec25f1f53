/** For tests: the real Shells over a real store, an agent and an operator in memory. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { create } from "@bufbuild/protobuf";
import { ShellExitSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseTerminalType } from "../../../proto/values/terminal.ts";
import { selectAudit } from "../../store/audit.ts";
import type { HpsStore } from "../../store/database.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { Audit } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import { LiveCalls } from "../identity/live-calls.ts";
import type { Caller } from "../identity/principal.ts";
import { operatorCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import type { ToAgent } from "./agent-feed.ts";
import type { AgentLink } from "./agent-links.ts";
import type { AttachedRun } from "./open-sessions.ts";
import type { OperatorOutput, Participant } from "./participant.ts";
import type { RecordingRoom } from "./recording-room.ts";
import { ShellAdmission } from "./shell-admission.ts";
import { ShellSession } from "./shell-session.ts";
import type { ShellStart } from "./shell-start.ts";
import { Shells, type ShellsDeps } from "./shells.ts";

const TERMINAL: ShellStart = {
  command: [],
  terminal: { term: parseTerminalType("xterm"), rows: 24, columns: 80 },
  reason: "disk is not found",
  environment: { LANG: "de_CH.UTF-8" },
};

export function commandStart(...command: readonly string[]): ShellStart {
  return { command, reason: "", environment: {} };
}

type OpenShell = Parameters<ShellsDeps["presence"]["send"]>[1]["value"];

/** A session from its two ends. */
interface Opened {
  readonly session: ShellSession;
  readonly owner: Participant;
  readonly agent: AgentLink;
  /** What the agent is sent. */
  readonly toAgent: AsyncIterator<ToAgent>;
}

export interface ShellsRig extends AsyncDisposable {
  readonly store: HpsStore;
  readonly deps: ShellsDeps;
  readonly shells: Shells;
  readonly hostId: string;
  readonly folder: string;
  readonly errors: unknown[];
  /** What was sent to the agent. */
  readonly asked: OpenShell[];
  /** Resolves once the agent serves it. */
  readonly open: (start?: ShellStart, signal?: AbortSignal) => Promise<Opened>;
  readonly attach: (session: Pick<ShellSession, "row">, operator: string, write?: boolean) => Promise<Participant>;
  readonly caller: (name: string) => Caller;
  readonly kill: (session: Pick<ShellSession, "row">, operator: string, reason: string) => Promise<SessionRow>;
  readonly file: (session: Pick<ShellSession, "row">, extension: string) => Promise<Buffer>;
  readonly audit: () => ReturnType<typeof selectAudit>;
  /** The stream of the host's agent ends. */
  readonly agentLeaves: () => void;
}

export interface RigOptions extends Partial<Pick<ShellsDeps, "recording" | "limits" | "folder">> {
  /** What the agent does with the command; by default it serves the session at once. */
  readonly agent?: (id: string, shells: Shells) => Promise<void>;
  readonly attached?: boolean;
  /** The room for recordings, which needs what the rig has. */
  readonly room?: (deps: ShellsDeps) => RecordingRoom;
}

/** Those who call. */
const OPERATORS = ["alice", "bob", "carol", "dave"];

export async function openShellsRig(options: RigOptions = {}): Promise<ShellsRig> {
  const store = await openTestStore();
  const home = await mkdtemp(path.join(tmpdir(), "hps-shells-"));
  const hostId = await addTestHost(store, await addTestCluster(store), { name: "h1" });
  const folder = options.folder ?? path.join(home, "sessions");
  const errors: unknown[] = [];
  const asked: OpenShell[] = [];
  const served = new Map<string, AgentLink>();
  const onDetach: ((agent: AttachedRun) => void)[] = [];
  const serve = async (id: string) => void served.set(id, shells.serve(id));
  const { agent = serve, attached = true, recording = "strict" } = options;
  const presence = {
    isAttached: () => attached,
    runOf: () => "run-1",
    onAttach: () => undefined,
    onDetach: (call: (agent: AttachedRun) => void) => void onDetach.push(call),
    send: async (host: string, { value }: { readonly value: OpenShell }) => {
      if (host !== hostId) throw new HpsError("not-found", "another host");
      asked.push(value);
      await agent(value.session ?? "", shells);
    },
  };
  for (const name of OPERATORS) await addTestOperator(store, name, { "*": "operator" });
  const audit = new Audit(store, Date.now);
  const base = { store, audit, changes: new Changes(store, Date.now), clock: Date.now, refusals: audit };
  const access = { admission: new ShellAdmission(base), live: new LiveCalls() };
  const limits = options.limits ?? {};
  const onError = (error: unknown) => errors.push(error);
  const bare: ShellsDeps = { ...base, ...access, presence, folder, recording, onError, limits };
  const deps = options.room === undefined ? bare : { ...bare, room: options.room(bare) };
  const shells = new Shells(deps);
  return {
    ...{ store, deps, shells, hostId, folder, errors, asked },
    agentLeaves: () => {
      for (const call of onDetach) call({ hostId, runId: "run-1" });
    },
    ...operatorsOf(shells, hostId, served),
    file: async (session, extension) => await readFile(path.join(folder, `${session.row.id}.${extension}`)),
    audit: async () => await store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 })),
    [Symbol.asyncDispose]: async () => {
      await shells.stop(100);
      await store[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function operatorsOf(
  shells: Shells,
  hostId: string,
  served: ReadonlyMap<string, AgentLink>,
): Pick<ShellsRig, "open" | "attach" | "kill" | "caller"> {
  const named = (name: string) => operatorCaller("operator", undefined, name);
  const never = new AbortController().signal;
  return {
    caller: named,
    open: async (start = TERMINAL, signal = never) => {
      const owner = await shells.open(named("alice"), hostId, start, signal);
      const [agent, session] = [served.get(owner.session.id), shells.live(owner.session.id)];
      if (agent === undefined || !(session instanceof ShellSession)) throw new Error("no agent serves the session");
      return { session, owner, agent, toAgent: agent.toAgent[Symbol.asyncIterator]() };
    },
    attach: async ({ row }, name, write = false) => await shells.attach(named(name), row.id, { write }, never),
    kill: async ({ row }, name, reason) => await shells.kill(named(name), row.id, reason),
  };
}

export function output(bytes: Uint8Array | string) {
  return { case: "output" as const, value: typeof bytes === "string" ? Buffer.from(bytes) : bytes };
}

export function exit(code: number, signal = 0) {
  return { case: "exit" as const, value: create(ShellExitSchema, { code, signal }) };
}

/** All a participant is sent, and its bytes. */
export async function readAll(participant: Participant): Promise<{ messages: OperatorOutput[]; bytes: Buffer }> {
  const messages: OperatorOutput[] = [];
  for await (const message of participant.output) messages.push(message);
  const bytes = Buffer.concat(messages.flatMap(({ value }) => (value instanceof Uint8Array ? [value] : [])));
  participant.leave("");
  return { messages, bytes };
}
