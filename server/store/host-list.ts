import { type Expression, type SqlBool, sql } from "kysely";
import type { Db } from "./database.ts";
import { hostRecordsOf, selectHostRows } from "./host-rows.ts";
import type { HostRecord } from "./hosts.ts";

/** One condition on a host. */
export type HostTerm =
  | { readonly field: "state" | "mac" | "profile"; readonly value: string }
  /** `*` stands for any characters; the rest holds no `%` and no `_`. */
  | { readonly field: "name"; readonly value: string }
  | { readonly field: "tag"; readonly key: string; readonly value: string };

export type HostOrder = "name" | "create_time" | "state";

/** What a host is sorted by; unique among all hosts. */
export type HostKey = readonly (string | number)[];

export interface HostQuery {
  readonly clusters: "all" | readonly string[];
  /** All must hold. */
  readonly terms: readonly HostTerm[];
  readonly order: HostOrder;
  readonly descending: boolean;
  /** Only those sorted after this one. */
  readonly after?: HostKey;
  readonly limit: number;
}

/** One page in two queries, whatever its size. */
export async function selectHosts(db: Db, query: HostQuery): Promise<HostRecord[]> {
  const { clusters, descending } = query;
  if (clusters.length === 0) return [];
  const keys = ORDERS[query.order].map(({ column }) => column);
  let select = selectHostRows(db).limit(query.limit);
  if (clusters !== "all") select = select.where("host.cluster_id", "in", [...clusters]);
  for (const term of query.terms) select = select.where(conditionOf(term));
  if (query.after !== undefined) {
    const sign = sql.raw(descending ? "<" : ">");
    select = select.where(sql<SqlBool>`(${sql.join(keys)}) ${sign} (${sql.join(query.after)})`);
  }
  for (const key of keys) select = select.orderBy(key, descending ? "desc" : "asc");
  return await hostRecordsOf(db, await select.execute());
}

/** Where `host` stands in the order: what the next page begins after. */
export function hostKeyOf(host: HostRecord, order: HostOrder): HostKey {
  return ORDERS[order].map(({ of }) => of(host));
}

/** The same as the core derives from the life cycle; asked of the database, because lists are filtered and sorted there. */
const STATE = sql<string>`coalesce(${sql.ref("installation.state")}, case when ${sql.ref("host.installed_at")} is null then 'registered' else 'installed' end)`;

interface SortKey {
  readonly column: Expression<string | number>;
  readonly of: (host: HostRecord) => string | number;
}

const BY_CLUSTER: SortKey = { column: sql.ref<string>("cluster.name"), of: (host) => host.cluster };
const BY_NAME: SortKey = { column: sql.ref<string>("host.name"), of: (host) => host.name };
const BY_STATE: SortKey = {
  column: STATE,
  of: ({ installation, installedAt }) => installation?.state ?? (installedAt === null ? "registered" : "installed"),
};

const ORDERS: Record<HostOrder, readonly SortKey[]> = {
  name: [BY_CLUSTER, BY_NAME],
  create_time: [
    { column: sql.ref<number>("host.created_at"), of: (host) => host.createdAt },
    { column: sql.ref<string>("host.id"), of: (host) => host.id },
  ],
  state: [BY_STATE, BY_CLUSTER, BY_NAME],
};

function conditionOf(term: HostTerm): Expression<SqlBool> {
  switch (term.field) {
    case "state":
      return sql<SqlBool>`${STATE} = ${term.value}`;
    case "profile":
      return sql<SqlBool>`${sql.ref("host.profile")} = ${term.value}`;
    case "name":
      return sql<SqlBool>`${sql.ref("host.name")} like ${term.value.replaceAll("*", "%")}`;
    case "mac":
      return sql<SqlBool>`${HOST_ID} in (select host_id from host_mac where mac = ${term.value})`;
    case "tag":
      return sql<SqlBool>`${HOST_ID} in (select host_id from host_tag where key = ${term.key} and value = ${term.value})`;
  }
}

const HOST_ID = sql.ref("host.id");

/** What dnsmasq is told of a host. */
export interface HostPlanRow {
  readonly id: string;
  readonly name: string;
  readonly domain: string;
  readonly macs: readonly string[];
  /** The first one, or none. */
  readonly address?: string;
}

/** All hosts, by id, in three queries. */
export async function selectHostPlan(db: Db): Promise<HostPlanRow[]> {
  const hosts = await db
    .selectFrom("host")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["host.id", "host.name", "cluster.domain"])
    .orderBy("host.id")
    .execute();
  const macs = await db.selectFrom("host_mac").select(["host_id", "mac"]).orderBy("ordinal").execute();
  const first = db.selectFrom("host_address").select(["host_id", "address"]).where("ordinal", "=", 0);
  const addresses = new Map((await first.execute()).map((row) => [row.host_id, row.address]));
  const macsOf = Map.groupBy(macs, (row) => row.host_id);
  return hosts.map((host) => {
    const address = addresses.get(host.id);
    return {
      ...host,
      macs: (macsOf.get(host.id) ?? []).map(({ mac }) => mac),
      ...(address !== undefined && { address }),
    };
  });
}
