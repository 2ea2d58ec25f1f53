/** From the rows of a host's tables to one record, a whole page in one further query. */
import { sql } from "kysely";
import type { Db } from "./database.ts";
import type { HostRecord, Resume } from "./hosts.ts";

/**
 * The columns every HostRecord is made of; add conditions, order and limit. `open` stands in the text, not as a
 * parameter, because only then SQLite uses the index of open installations.
 */
export function selectHostRows(db: Db) {
  return db
    .selectFrom("host")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .leftJoin("installation", (join) =>
      join.onRef("installation.host_id", "=", "host.id").on("installation.outcome", "=", sql.lit("open")),
    )
    .select([
      "host.id",
      "host.cluster_id as clusterId",
      "cluster.name as cluster",
      "cluster.domain as domain",
      "host.name",
      "host.profile",
      "host.resume",
      "host.network",
      "host.installed_at as installedAt",
      "host.agent_version as agentVersion",
      "host.created_at as createdAt",
      "host.updated_at as updatedAt",
      "host.revision",
      "installation.id as installationId",
      "installation.state as installationState",
    ]);
}

export interface HostRow {
  readonly id: string;
  readonly clusterId: string;
  readonly cluster: string;
  readonly domain: string;
  readonly name: string;
  readonly profile: string;
  readonly resume: Resume;
  readonly network: "dhcp" | "static";
  readonly installedAt: number | null;
  readonly agentVersion: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: number;
  readonly installationId: string | null;
  readonly installationState: string | null;
}

interface Parts {
  readonly macs: string[];
  readonly addresses: string[];
  readonly tags: Map<string, string>;
}

/** In the order of `rows`. */
export async function hostRecordsOf(db: Db, rows: readonly HostRow[]): Promise<HostRecord[]> {
  if (rows.length === 0) return [];
  const parts = new Map<string, Parts>(rows.map(({ id }) => [id, { macs: [], addresses: [], tags: new Map() }]));
  for (const { host_id, kind, key, value } of await selectParts(db, [...parts.keys()])) {
    const of = parts.get(host_id);
    if (kind === "mac") of?.macs.push(value);
    else if (kind === "address") of?.addresses.push(value);
    else of?.tags.set(key, value);
  }
  return rows.map(({ installationId, installationState, ...row }) => ({
    ...row,
    ...(parts.get(row.id) ?? { macs: [], addresses: [], tags: new Map() }),
    ...(installationId !== null && { installation: { id: installationId, state: installationState ?? "" } }),
  }));
}

/** MACs, addresses and tags of these hosts, each in its order. */
async function selectParts(db: Db, ids: readonly string[]) {
  return await db
    .selectFrom("host_mac")
    .select(({ val }) => ["host_id", val("mac").as("kind"), "ordinal", val("").as("key"), "mac as value"])
    .where("host_id", "in", ids)
    .unionAll(
      db
        .selectFrom("host_address")
        .select(({ val }) => ["host_id", val("address").as("kind"), "ordinal", val("").as("key"), "address as value"])
        .where("host_id", "in", ids),
    )
    .unionAll(
      db
        .selectFrom("host_tag")
        .select(({ val }) => ["host_id", val("tag").as("kind"), val(0).as("ordinal"), "key", "value"])
        .where("host_id", "in", ids),
    )
    .orderBy("ordinal")
    .orderBy("key")
    .execute();
}
