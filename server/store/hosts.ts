import type { Db, Tx } from "./database.ts";
import { hostRecordsOf, selectHostRows } from "./host-rows.ts";

export type Resume = "never" | "once" | "always";

/** What an operator decides about a host. */
export interface HostFields {
  readonly name: string;
  /** The first is the one it boots from. */
  readonly macs: readonly string[];
  /** The first is the lease of every MAC. */
  readonly addresses: readonly string[];
  readonly profile: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly resume: Resume;
  /** How the installed system reaches the network. */
  readonly network: "dhcp" | "static";
}

export interface HostRecord extends HostFields {
  readonly id: string;
  readonly clusterId: string;
  readonly cluster: string;
  readonly domain: string;
  /** UTC milliseconds. */
  readonly installedAt: number | null;
  readonly agentVersion: string;
  /** The open installation and its state, when there is one. */
  readonly installation?: { readonly id: string; readonly state: string };
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: number;
}

export interface NewHost {
  readonly id: string;
  readonly clusterId: string;
  readonly fields: HostFields;
  readonly at: number;
}

export async function insertHost(tx: Tx, { id, clusterId, fields, at }: NewHost): Promise<void> {
  await tx
    .insertInto("host")
    .values({
      id,
      cluster_id: clusterId,
      name: fields.name,
      profile: fields.profile,
      resume: fields.resume,
      network: fields.network,
      installed_at: null,
      agent_version: "",
      boot_json: null,
      created_at: at,
      updated_at: at,
      revision: 1,
    })
    .execute();
  await insertParts(tx, id, fields);
}

/** Writes all fields as they now are. */
export async function updateHost(tx: Tx, id: string, fields: HostFields, at: number): Promise<void> {
  await tx
    .updateTable("host")
    .set((eb) => ({
      name: fields.name,
      profile: fields.profile,
      resume: fields.resume,
      network: fields.network,
      updated_at: at,
      revision: eb("revision", "+", 1),
    }))
    .where("id", "=", id)
    .execute();
  for (const table of ["host_mac", "host_address", "host_tag"] as const) {
    await tx.deleteFrom(table).where("host_id", "=", id).execute();
  }
  await insertParts(tx, id, fields);
}

async function insertParts(tx: Tx, host_id: string, fields: HostFields): Promise<void> {
  const macs = fields.macs.map((mac, ordinal) => ({ mac, host_id, ordinal }));
  const addresses = fields.addresses.map((address, ordinal) => ({ address, host_id, ordinal }));
  const tags = [...fields.tags].map(([key, value]) => ({ host_id, key, value }));
  if (macs.length > 0) await tx.insertInto("host_mac").values(macs).execute();
  if (addresses.length > 0) await tx.insertInto("host_address").values(addresses).execute();
  if (tags.length > 0) await tx.insertInto("host_tag").values(tags).execute();
}

/** With all that belongs to it; its installations stay as history. */
export async function deleteHost(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("host").where("id", "=", id).execute();
}

/** Those of `ids` that exist and are in one of the clusters, in no order. */
export async function hostsByIds(
  db: Db,
  ids: readonly string[],
  clusters: "all" | readonly string[] = "all",
): Promise<HostRecord[]> {
  if (ids.length === 0 || clusters.length === 0) return [];
  let select = selectHostRows(db).where("host.id", "in", [...ids]);
  if (clusters !== "all") select = select.where("host.cluster_id", "in", [...clusters]);
  return await hostRecordsOf(db, await select.execute());
}

export async function hostById(db: Db, id: string): Promise<HostRecord | undefined> {
  return (await hostsByIds(db, [id]))[0];
}

/** The host that has this MAC. */
export async function hostByMac(db: Db, mac: string): Promise<HostRecord | undefined> {
  const row = await db.selectFrom("host_mac").select("host_id").where("mac", "=", mac).executeTakeFirst();
  return row && (await hostById(db, row.host_id));
}

/** By installation the host it holds, or held. */
export async function hostsOfInstallations(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const select = db.selectFrom("installation").select(["id", "host_id"]);
  const rows = await select.where("id", "in", [...new Set(ids)]).execute();
  return new Map(rows.map((row) => [row.id, row.host_id]));
}

export async function hostIdByName(db: Db, clusterId: string, name: string): Promise<string | undefined> {
  const select = db.selectFrom("host").select("id").where("cluster_id", "=", clusterId).where("name", "=", name);
  return (await select.executeTakeFirst())?.id;
}
