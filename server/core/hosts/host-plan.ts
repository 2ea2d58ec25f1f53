import type { HpsStore } from "../../store/database.ts";
import { type HostPlanRow, selectHostPlan } from "../../store/host-list.ts";
import type { Changes } from "../changes/changes.ts";

export type DhcpHost = HostPlanRow;

/** All hosts as DHCP and DNS need them: MACs, first address, name, domain. */
export async function dhcpPlan(store: HpsStore): Promise<readonly DhcpHost[]> {
  return await store.read(selectHostPlan);
}

/**
 * The plan as it is, then again after each change of a host or a cluster, until `signal`. Many changes that came while
 * the last plan was being used are one.
 */
export async function* watchDhcpPlan(
  deps: { readonly store: HpsStore; readonly changes: Changes },
  signal: AbortSignal,
): AsyncGenerator<readonly DhcpHost[], void, void> {
  const start = await deps.changes.last();
  yield await dhcpPlan(deps.store);
  for await (const page of deps.changes.followPages(start, signal)) {
    if (page.some(({ kind }) => kind === "host" || kind === "cluster")) yield await dhcpPlan(deps.store);
  }
}
