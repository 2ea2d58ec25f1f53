import { create } from "@bufbuild/protobuf";
import { StateChangeSchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import { type InstallationRow, updateInstallation } from "../../store/installations.ts";
import { type AgentOrders, type ChangedBy, installationStateOf, type LifeDeps } from "./installation-life.ts";
import { MAX_JOURNAL } from "./limits.ts";
import { OperationRecord } from "./operation-record.ts";

export interface RebootPause {
  readonly paused: boolean;
  readonly by: ChangedBy;
}

/**
 * Whether the machine may restart by itself when all is done: kept with the installation, and told to its agent once it is
 * durable. Saying it again tells the agent again. `precondition` to hold a machine that restarts already.
 */
export async function setRebootPaused(
  tx: Tx,
  deps: Omit<LifeDeps, "hooks"> & { readonly orders: AgentOrders },
  row: InstallationRow,
  { paused, by }: RebootPause,
): Promise<void> {
  const { id, hostId, state } = row;
  const { orders } = deps;
  if (row.outcome !== "open") throw new HpsError("precondition", `installation ${id} has ended: ${row.outcome}`);
  // While its agent is attached the machine still waits for something, a shell that is open.
  if (paused && !row.rebootPaused && state === "rebooting" && !orders.isAttached(hostId)) {
    throw new HpsError("precondition", "the machine restarts already", { hint: "it cannot be held any more" });
  }
  tx.afterCommit(() => orders.pauseReboot(hostId, paused));
  await storeRebootPaused(tx, deps, row, { paused, by });
}

/** The same, as the machine's agent says it: who was told by the agent need not tell it. */
export async function storeRebootPaused(
  tx: Tx,
  { clock, changes, bell }: Pick<LifeDeps, "clock" | "changes" | "bell">,
  row: InstallationRow,
  { paused, by }: RebootPause,
): Promise<void> {
  const { id, clusterId, state } = row;
  if (row.rebootPaused === paused) return;
  const record = new OperationRecord(row, clock());
  if (row.lastJournal < MAX_JOURNAL) {
    const now = installationStateOf(state);
    const event = paused ? "pause-reboot" : "resume-reboot";
    const { actor, reason = "" } = by;
    record.enter({ case: "change", value: create(StateChangeSchema, { from: now, to: now, event, actor, reason }) });
  }
  await tx.batch([...record.take(tx, id), updateInstallation(tx, id, { ...record.ends, rebootPaused: paused })]);
  await changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: false });
  tx.afterCommit(() => bell.ring(id));
}
