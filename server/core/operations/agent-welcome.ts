/** What an agent that attaches is told: which run it is, how far that is stored, and whether to work. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { WelcomeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type AgentRun, insertAgentRun, selectAgentRun, selectLastRun } from "../../store/agent-runs.ts";
import type { Tx } from "../../store/database.ts";
import { type InstallationRow, selectInstallation } from "../../store/installations.ts";
import { updateHostReport } from "../../store/installed-host.ts";
import { type StepRow, selectSteps } from "../../store/steps.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { actorOf, type Caller, type HostPrincipal, type InstallerPrincipal } from "../identity/principal.ts";
import type { ParsedHello } from "./agent-hello.ts";
import type { AgentCaller, MessageDeps } from "./agent-messages.ts";
import { admitHost, BACKDATING_MS, takeBootReport } from "./host-report.ts";

/** Runs of one identity that are remembered beside the newest. */
const KEPT_RUNS = 8;
/** In these the agent has a certificate and may be attached. */
const ATTACHABLE: readonly string[] = ["installing", "interrupted", "failed", "rebooting"];

export interface WelcomeDeps extends MessageDeps {
  /** Makes the waiting certificate of a host valid. */
  readonly validateWaiting: (tx: Tx, hostId: string) => Promise<void>;
  readonly serverVersion: string;
  /** How often an agent gives a sign of life. */
  readonly heartbeatMs: number;
  /** Whether hosts of a cluster may be entered directly while no hpsd is there; absent: never. */
  readonly directAccess?: (tx: Tx, clusterId: string) => Promise<boolean>;
}

export type WelcomeInit = MessageInitShape<typeof WelcomeSchema>;

/** `precondition` when this agent has nothing to do here any more, `invalid` for a run of another agent. */
export async function welcomeAgent(
  tx: Tx,
  deps: WelcomeDeps,
  caller: AgentCaller,
  hello: ParsedHello,
): Promise<WelcomeInit> {
  const { principal } = caller;
  const { hostId, clusterId } = principal;
  // That it is attached now is shown with the host.
  await deps.changes.note(tx, { kind: "host", objectId: hostId, clusterId, deleted: false });
  const told =
    principal.kind === "installer"
      ? await welcomeInstaller(tx, deps, { ...caller, principal }, hello)
      : await welcomeHost(tx, deps, { ...caller, principal }, hello);
  return {
    ...told,
    hostId,
    heartbeatInterval: durationFromMs(deps.heartbeatMs),
    serverTime: timestampFromMs(deps.clock()),
    serverVersion: deps.serverVersion,
    directAccess: (await deps.directAccess?.(tx, clusterId)) ?? false,
  };
}

async function welcomeInstaller(
  tx: Tx,
  deps: WelcomeDeps,
  caller: Caller<InstallerPrincipal>,
  hello: ParsedHello,
): Promise<WelcomeInit> {
  const { installationId: id, hostId } = caller.principal;
  const found = await attachableRow(tx, id);
  const steps = await selectSteps(tx, id);
  const { run, fresh, previous } = await openRun(tx, deps, caller, hello.runId);
  if (fresh) await updateHostReport(tx, hostId, { ...saidIn(hello), updatedAt: deps.clock() });
  const again = previous !== undefined && startedAgain(caller, previous, steps) && found.state === "installing";
  if (again) await reenter(tx, deps, caller);
  const { state } = again ? await attachableRow(tx, id) : found;
  return {
    installation: id,
    acknowledgedSequence: BigInt(run.lastSequence),
    doneSteps: steps.filter((step) => step.state === "succeeded").map(({ name }) => name),
    proceed: state === "installing",
    rebootPaused: found.rebootPaused,
    finished: state === "rebooting",
  };
}

function saidIn({ version, facts }: ParsedHello) {
  return { agentVersion: version, ...(facts && { factsJson: JSON.stringify(facts) }) };
}

async function attachableRow(tx: Tx, id: string): Promise<InstallationRow> {
  const row = await selectInstallation(tx, id);
  if (row !== undefined && ATTACHABLE.includes(row.state)) return row;
  throw new HpsError("precondition", `installation ${id} has nothing for an agent to do: ${row?.state ?? "deleted"}`, {
    details: { state: row?.state ?? "deleted", outcome: row?.outcome ?? "" },
  });
}

/**
 * A new run with the certificate of an earlier one: the agent died and started again without enrolling, so the gate has
 * not judged this restart. A machine that restarted has a certificate that is younger than the run before.
 */
function startedAgain({ principal }: Caller<InstallerPrincipal>, previous: AgentRun, steps: readonly StepRow[]) {
  return steps.length > 0 && principal.certificate.notBefore + BACKDATING_MS <= previous.startedAt;
}

async function reenter(tx: Tx, { life, audit }: WelcomeDeps, caller: Caller<InstallerPrincipal>): Promise<void> {
  const { installationId, hostId, clusterId } = caller.principal;
  const reason = "the agent started again";
  await life.reenter(tx, installationId, { actor: actorOf(caller), reason });
  const details = { host: hostId, event: "re-enrol" };
  await audit.allowed(tx, actorOfCaller(caller), {
    ...{ target: `installation:${installationId}`, clusterId, reason, details },
  });
}

async function welcomeHost(
  tx: Tx,
  deps: WelcomeDeps,
  caller: Caller<HostPrincipal>,
  hello: ParsedHello,
): Promise<WelcomeInit> {
  const { hostId } = caller.principal;
  if (hello.boot === undefined) throw new HpsError("invalid", "an agent of an installed host says what was booted");
  await admitHost(tx, deps.validateWaiting, caller.principal);
  const { run, fresh } = await openRun(tx, deps, caller, hello.runId);
  if (fresh) await updateHostReport(tx, hostId, { ...saidIn(hello), updatedAt: deps.clock() });
  // A run that comes back may have been cut off before what it said then was stored; what it says now is the same or newer.
  await takeBootReport(tx, deps, caller, hello.boot);
  return { acknowledgedSequence: BigInt(run.lastSequence), proceed: true };
}

interface OpenedRun {
  readonly run: AgentRun;
  readonly fresh: boolean;
  /** Of a fresh run: the one before. */
  readonly previous?: AgentRun;
}

async function openRun(tx: Tx, { clock }: WelcomeDeps, caller: AgentCaller, runId: string): Promise<OpenedRun> {
  const identity = caller.principal.certificate.uri;
  const known = await selectAgentRun(tx, runId);
  if (known?.identity === identity) return { run: known, fresh: false };
  if (known !== undefined) throw new HpsError("invalid", `run ${runId} is another agent's`);
  const previous = await selectLastRun(tx, identity);
  const run = { runId, identity, lastSequence: 0, startedAt: clock() };
  await insertAgentRun(tx, run, KEPT_RUNS);
  return { run, fresh: true, ...(previous && { previous }) };
}
