import { create } from "@bufbuild/protobuf";
import { InstallationState, StateChangeSchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import { type InstallationRow, selectInstallation, updateInstallation } from "../../store/installations.ts";
import { selectInstalledHost, updateHostReport } from "../../store/installed-host.ts";
import { selectSteps } from "../../store/steps.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { can, type Ending, type HostEvent, next, type OpenState, parseOpenState } from "../hosts/life-cycle.ts";
import type { Bell } from "./bell.ts";
import { MAX_JOURNAL } from "./limits.ts";
import { OperationRecord } from "./operation-record.ts";

/** Who made a change, and why. */
export interface ChangedBy {
  /** An operator's name, an agent's identity, or `hpsd`. */
  readonly actor: string;
  readonly reason?: string;
}

/** What others do when an installation begins, freezes or ends; all in the transaction of the change. */
export interface InstallationHooks {
  readonly voidClaims: (tx: Tx, installationId: string, reason: string) => Promise<void>;
  readonly revokeInstaller: (tx: Tx, installationId: string, reason: string) => Promise<void>;
  readonly suspendHost: (tx: Tx, hostId: string) => Promise<void>;
  readonly resumeHost: (tx: Tx, hostId: string) => Promise<void>;
  /** The system it was for is not one that was installed to its end. */
  readonly revokeHost: (tx: Tx, hostId: string, reason: string) => Promise<void>;
}

/** What the agents of a host are told once a change is durable. Must not throw, but for `reboot`. */
export interface AgentOrders {
  readonly proceed: (hostId: string, doneSteps: readonly string[]) => void;
  /** `restart`: the machine has an installed system to go back to. */
  readonly cancel: (hostId: string, reason: string, restart: boolean) => void;
  readonly isAttached: (hostId: string) => boolean;
  /** Whether the machine waits when all steps are done. */
  readonly pauseReboot: (hostId: string, paused: boolean) => void;
  /** Resolves when the agent of the installed system will restart its machine; `unavailable`, `precondition`, `deadline`. */
  readonly reboot: (hostId: string, network: boolean) => Promise<void>;
}

export interface LifeDeps {
  readonly clock: Clock;
  readonly changes: Changes;
  readonly bell: Bell;
  readonly hooks: InstallationHooks;
  readonly orders: AgentOrders;
}

interface Step {
  readonly event: HostEvent;
  readonly from: OpenState;
  readonly to: OpenState | Ending;
  readonly by: ChangedBy;
}

/** States that leave a reason to read. */
const EXPLAINED: readonly string[] = ["failed", "frozen", "interrupted"];

/** The one place where an installation's state changes. */
export class InstallationLife {
  readonly #deps: LifeDeps;

  constructor(deps: LifeDeps) {
    this.#deps = deps;
  }

  /**
   * Lets `event` happen, in the caller's transaction: state, journal, the host's row, claims and certificates.
   * `precondition` when it cannot happen in this state or the installation has ended.
   */
  async apply(tx: Tx, installationId: string, event: HostEvent, by: ChangedBy): Promise<OpenState | Ending> {
    const row = await openRow(tx, installationId);
    const from = parseOpenState(row.state);
    const step = { event, from, to: next(from, event), by };
    await this.#write(tx, row, step);
    await this.#hostChanges(tx, row, step);
    await this.#note(tx, row);
    await this.#tellAgent(tx, row, step);
    await this.#endAccess(tx, row, step);
    return step.to;
  }

  /**
   * The machine came back in the middle, same facts: goes on by itself where an operator said `retry` and no agent has gone
   * on since, or where the host's policy lets it, or to a rescue, which has nothing to do that could harm; else waits.
   */
  async reenter(tx: Tx, installationId: string, by: ChangedBy): Promise<OpenState | Ending> {
    const row = await openRow(tx, installationId);
    const policy = (await selectInstalledHost(tx, row.hostId))?.resume ?? "never";
    const allowed = row.rescue || row.goOn || policy === "always" || (policy === "once" && row.resumed === 0);
    if (!allowed || !can(parseOpenState(row.state), "resume")) {
      return await this.apply(tx, installationId, "re-enrol", by);
    }
    // What an operator said counts for one machine that comes back, and not as the policy's.
    const changes = row.goOn ? { goOn: false } : { resumed: row.resumed + 1 };
    await updateInstallation(tx, installationId, changes).execute();
    return await this.apply(tx, installationId, "resume", by);
  }

  async #write(tx: Tx, row: InstallationRow, { event, from, to, by }: Step): Promise<void> {
    const now = this.#deps.clock();
    const record = new OperationRecord(row, now);
    const { actor, reason = "" } = by;
    // What can repeat itself without end leaves no more than this behind.
    if (from !== to || row.lastJournal < MAX_JOURNAL) {
      const change = create(StateChangeSchema, { from: STATE[from], to: stateOf(to), event, actor, reason });
      record.enter({ case: "change", value: change });
    }
    const explained = typeof to !== "string" || EXPLAINED.includes(to) || event === "ail";
    const changes = {
      ...record.ends,
      ...(typeof to === "string" ? { state: to } : { state: "ended", outcome: to.outcome, endedAt: now }),
      reason: explained ? reason : "",
      ...(event === "unfreeze" && { factsJson: null }),
      // The machine may be on its way back without an agent that hears it.
      ...(event === "retry" && { goOn: true }),
    };
    await tx.batch([...record.take(tx, row.id), updateInstallation(tx, row.id, changes)]);
  }

  /** From the first certificate on the disk may be written: what the host was is no longer true. A rescue writes none. */
  async #hostChanges(tx: Tx, { hostId, rescue }: InstallationRow, { event, to }: Step): Promise<void> {
    const now = this.#deps.clock();
    if (rescue) return;
    if (event === "enrol") await updateHostReport(tx, hostId, { installedAt: null, updatedAt: now });
    if (event === "report") await updateHostReport(tx, hostId, { installedAt: now, updatedAt: now });
    if (typeof to === "string" || to.outcome === "succeeded") return;
    const host = await selectInstalledHost(tx, hostId);
    if (typeof host?.installedAt === "number") await this.#deps.hooks.resumeHost(tx, hostId);
  }

  async #note(tx: Tx, { id, hostId, clusterId }: InstallationRow): Promise<void> {
    await this.#deps.changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: false });
    await this.#deps.changes.note(tx, { kind: "host", objectId: hostId, clusterId, deleted: false });
    tx.afterCommit(() => this.#deps.bell.ring(id));
  }

  /** Before its certificate is revoked, which ends its stream. */
  async #tellAgent(tx: Tx, { id, hostId, rescue }: InstallationRow, { event, from, to, by }: Step): Promise<void> {
    const { orders } = this.#deps;
    if (typeof to !== "string" && to.outcome !== "succeeded") {
      const host = rescue ? await selectInstalledHost(tx, hostId) : undefined;
      const restart = typeof host?.installedAt === "number";
      tx.afterCommit(() => orders.cancel(hostId, by.reason ?? to.outcome, restart));
    }
    if (to === "installing" && from !== "armed" && from !== "awaiting-approval" && event !== "enrol") {
      const steps = await selectSteps(tx, id);
      const done = steps.filter(({ state }) => state === "succeeded").map(({ name }) => name);
      tx.afterCommit(() => orders.proceed(hostId, done));
    }
  }

  async #endAccess(tx: Tx, { id, hostId, rescue }: InstallationRow, { event, to }: Step): Promise<void> {
    if (typeof to === "string" && to !== "frozen") return;
    const { hooks } = this.#deps;
    const reason = to === "frozen" ? "two machines claim this host" : `the installation has ended: ${event}`;
    await hooks.voidClaims(tx, id, reason);
    await hooks.revokeInstaller(tx, id, reason);
    if (rescue || typeof to === "string" || to.outcome === "succeeded") return;
    const host = await selectInstalledHost(tx, hostId);
    if (typeof host?.installedAt !== "number") await hooks.revokeHost(tx, hostId, reason);
  }
}

async function openRow(tx: Tx, id: string): Promise<InstallationRow> {
  const row = await selectInstallation(tx, id);
  if (row === undefined) throw new HpsError("not-found", `no installation ${id}`);
  if (row.outcome === "open") return row;
  throw new HpsError("precondition", `installation ${id} has ended: ${row.outcome}`, {
    hint: "arm the host for another one",
    details: { outcome: row.outcome },
  });
}

const STATE: Record<OpenState, InstallationState> = {
  armed: InstallationState.ARMED,
  "awaiting-approval": InstallationState.AWAITING_APPROVAL,
  installing: InstallationState.INSTALLING,
  interrupted: InstallationState.INTERRUPTED,
  failed: InstallationState.FAILED,
  frozen: InstallationState.FROZEN,
  rebooting: InstallationState.REBOOTING,
};

function stateOf(to: OpenState | Ending): InstallationState {
  return typeof to === "string" ? STATE[to] : InstallationState.ENDED;
}

/** How the contract calls a stored state. */
export function installationStateOf(stored: string): InstallationState {
  return stored === "ended" ? InstallationState.ENDED : STATE[parseOpenState(stored)];
}
