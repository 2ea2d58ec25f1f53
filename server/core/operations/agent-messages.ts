/** Storing what an agent sent, once: the one transaction that stands behind an acknowledgement. */
import type { AgentEvent } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { selectAgentRun, updateAgentRun } from "../../store/agent-runs.ts";
import type { Tx } from "../../store/database.ts";
import type { Audit, Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { Caller, HostPrincipal, InstallerPrincipal } from "../identity/principal.ts";
import type { ParsedLine } from "./agent-event.ts";
import type { Bell } from "./bell.ts";
import { takeBootReport } from "./host-report.ts";
import { InstallationBatch } from "./installation-batch.ts";
import type { InstallationLife } from "./installation-life.ts";
import type { LogQuota } from "./log-quota.ts";

type AgentPrincipal = InstallerPrincipal | HostPrincipal;
export type AgentCaller = Caller<AgentPrincipal>;

/** One parsed message with a number. */
export interface NumberedMessage {
  readonly sequence: number;
  /** What it costs while it waits; bytes. */
  readonly size: number;
  readonly content: EventContent | LineContent;
}

export interface EventContent {
  readonly kind: "event";
  readonly event: AgentEvent;
  /** Progress that the steps show and the journal does not need. */
  readonly quiet: boolean;
}

export interface LineContent extends ParsedLine {
  readonly kind: "line";
}

export interface MessageDeps {
  readonly clock: Clock;
  readonly audit: Audit;
  readonly changes: Changes;
  readonly bell: Bell;
  readonly life: InstallationLife;
  readonly quota: LogQuota;
}

/**
 * Stores what is not stored yet, in order; the number up to which all is. `invalid` for a gap or for what this agent
 * may not say, `precondition` when its installation does not go on; then none of it is stored.
 */
export async function storeMessages(
  tx: Tx,
  deps: MessageDeps,
  { caller, runId }: { readonly caller: AgentCaller; readonly runId: string },
  messages: readonly NumberedMessage[],
): Promise<number> {
  const { principal } = caller;
  // Asked together: each answer is a message from the store's thread.
  const [run, found] = await Promise.all([
    selectAgentRun(tx, runId),
    principal.kind === "installer" ? InstallationBatch.find(tx, principal.installationId) : undefined,
  ]);
  if (run === undefined) throw new HpsError("aborted", `run ${runId} is not known any more`, { hint: "attach again" });
  const fresh = freshOf(run.lastSequence, messages);
  const last = fresh.at(-1);
  if (last === undefined) return run.lastSequence;
  const stored = updateAgentRun(tx, runId, last.sequence);
  if (principal.kind === "installer") {
    const batch = InstallationBatch.open(tx, deps, { ...caller, principal }, found);
    for (const { content } of fresh) await batch.add(content);
    await batch.close([stored]);
  } else {
    await storeReports(tx, deps, { ...caller, principal }, fresh);
    await stored.execute();
  }
  return last.sequence;
}

/** Without repetitions; a number left out means that something is lost, and nothing may be acknowledged beyond it. */
function freshOf(stored: number, messages: readonly NumberedMessage[]): readonly NumberedMessage[] {
  let last = stored;
  return messages.filter(({ sequence }) => {
    if (sequence > last + 1) {
      throw new HpsError("invalid", `message ${sequence} came, but ${last + 1} never did`, {
        hint: "send again everything above the acknowledged number",
        details: { acknowledged: String(stored) },
      });
    }
    const fresh = sequence === last + 1;
    if (fresh) last = sequence;
    return fresh;
  });
}

async function storeReports(
  tx: Tx,
  deps: MessageDeps,
  caller: Caller<HostPrincipal>,
  messages: readonly NumberedMessage[],
): Promise<void> {
  const reports = messages.map(({ content }) => {
    if (content.kind === "event" && content.event.event.case === "boot") return content.event.event.value;
    throw new HpsError("invalid", "an agent of an installed host reports its boot and nothing else");
  });
  const report = reports.at(-1);
  if (report !== undefined) await takeBootReport(tx, deps, caller, report);
}
