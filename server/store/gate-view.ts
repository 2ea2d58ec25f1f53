import { type Facts, parseFactsJson } from "../../proto/values/facts.ts";
import type { Db } from "./database.ts";

/** All the gate asks of a host: who it is, what holds it, how its cluster admits. */
export interface GateView {
  readonly hostId: string;
  readonly hostName: string;
  readonly clusterId: string;
  readonly admission: "armed" | "approve";
  /** Whether the system HPS installed has reported since the last installation began. */
  readonly installed: boolean;
  /** All its MACs. */
  readonly macs: readonly string[];
  /** The one that holds it. */
  readonly installation: OpenView | undefined;
}

export interface OpenView {
  readonly id: string;
  /** A state of core/hosts/life-cycle.ts. */
  readonly state: string;
  readonly windowEndAt: number;
  /** Only a shell is wanted: an installed system stays what it is. */
  readonly rescue: boolean;
  readonly facts: Facts | undefined;
}

export async function gateViewByMac(db: Db, mac: string): Promise<GateView | undefined> {
  const owner = await db.selectFrom("host_mac").select("host_id").where("mac", "=", mac).executeTakeFirst();
  return owner && (await gateView(db, owner.host_id));
}

export async function gateView(db: Db, hostId: string): Promise<GateView | undefined> {
  const host = await db
    .selectFrom("host")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["host.id", "host.name", "host.cluster_id", "host.installed_at", "cluster.admission"])
    .where("host.id", "=", hostId)
    .executeTakeFirst();
  if (host === undefined) return undefined;
  const macs = await db.selectFrom("host_mac").select("mac").where("host_id", "=", hostId).orderBy("ordinal").execute();
  return {
    hostId,
    hostName: host.name,
    clusterId: host.cluster_id,
    admission: host.admission,
    installed: host.installed_at !== null,
    macs: macs.map(({ mac }) => mac),
    installation: await openView(db, hostId),
  };
}

async function openView(db: Db, hostId: string): Promise<OpenView | undefined> {
  const row = await db
    .selectFrom("installation")
    .select(["id", "state", "window_end_at", "rescue", "facts_json"])
    .where("host_id", "=", hostId)
    .where("outcome", "=", "open")
    .executeTakeFirst();
  return (
    row && {
      id: row.id,
      state: row.state,
      windowEndAt: row.window_end_at,
      rescue: row.rescue === 1,
      facts: row.facts_json === null ? undefined : parseFactsJson(row.facts_json),
    }
  );
}
