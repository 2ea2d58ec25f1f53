import type { HpsStore } from "../../store/database.ts";
import { type Audit, actorOfCaller } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";

export interface RebootHostDeps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly orders: {
    /** Resolves when the host's agent will restart its machine. */
    readonly reboot: (hostId: string, network: boolean) => Promise<void>;
  };
}

export interface RebootWish {
  readonly hostId: string;
  readonly clusterId: string;
  /** From the network, this once. */
  readonly network: boolean;
}

/**
 * Restarts an installed host through its agent. Recorded before it is told, because afterwards may be too late to record.
 * `unavailable` when no agent is attached, `precondition` with the agent's words when it cannot.
 */
export async function rebootHost(deps: RebootHostDeps, caller: Caller, wish: RebootWish): Promise<void> {
  const { hostId, clusterId, network } = wish;
  const details = { network: String(network) };
  await deps.store.write((tx) =>
    deps.audit.allowed(tx, actorOfCaller(caller), { target: `host:${hostId}`, clusterId, details }),
  );
  await deps.orders.reboot(hostId, network);
}
