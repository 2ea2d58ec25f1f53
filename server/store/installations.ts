import type { Selectable, UpdateObject } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Tables } from "./schema/tables.ts";

type Outcome = Tables["installation"]["outcome"];

/** Which disk is written, and how. */
export interface StorageWish {
  /** The disk rule; empty for the one fixed disk. */
  readonly disk: string;
  /** Of each root file system; 0: as the image needs. */
  readonly rootSizeBytes: number;
  /** The chosen disk may be wiped, whatever its serial number. */
  readonly wipe: boolean;
}

/** One run of installing one host. Times are UTC milliseconds. */
export interface InstallationRow {
  readonly id: string;
  readonly hostId: string;
  readonly clusterId: string;
  /** A state of core/hosts/life-cycle.ts while open, then `ended`. */
  readonly state: string;
  readonly outcome: Outcome;
  readonly reason: string;
  /** As it was armed with; empty: nothing to install. */
  readonly image: string;
  /** What that meant then; empty as `image` is, and where it was no image even then. */
  readonly imageDigest: string;
  readonly wipeDiskSerials: readonly string[];
  readonly armedBy: string;
  readonly windowEndAt: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** How often the host's policy let it go on by itself. */
  readonly resumed: number;
  readonly storage: StorageWish;
  /** Only a shell is wanted. */
  readonly rescue: boolean;
  readonly rebootPaused: boolean;
  /** An operator said `retry` and no agent has gone on since. */
  readonly goOn: boolean;
  /** Digest of the installer that its machine booted last; empty before. */
  readonly installer: string;
  /** Highest sequence of its journal and of its log; 0 when there is none. */
  readonly lastJournal: number;
  readonly lastLog: number;
}

/** An installation with the names that are shown with it; empty when cluster or host are gone. */
export interface NamedInstallationRow extends InstallationRow {
  readonly cluster: string;
  readonly host: string;
}

/** What an installation starts as. */
export type NewInstallation = Pick<
  InstallationRow,
  | "id"
  | "hostId"
  | "clusterId"
  | "state"
  | "image"
  | "imageDigest"
  | "wipeDiskSerials"
  | "storage"
  | "rescue"
  | "armedBy"
  | "windowEndAt"
  | "createdAt"
>;

/** Fails with a duplicate of `installation.host_id` while another open installation holds the host. */
export async function insertInstallation(tx: Tx, made: NewInstallation): Promise<void> {
  await tx
    .insertInto("installation")
    .values({
      id: made.id,
      host_id: made.hostId,
      cluster_id: made.clusterId,
      state: made.state,
      outcome: "open",
      reason: "",
      image: made.image,
      image_digest: made.imageDigest,
      wipe_json: JSON.stringify(made.wipeDiskSerials),
      disk: made.storage.disk,
      root_size_bytes: made.storage.rootSizeBytes,
      wipe: made.storage.wipe ? 1 : 0,
      rescue: made.rescue ? 1 : 0,
      reboot_paused: 0,
      go_on: 0,
      installer: "",
      armed_by: made.armedBy,
      window_end_at: made.windowEndAt,
      created_at: made.createdAt,
      ended_at: null,
      facts_json: null,
      resumed: 0,
      last_journal: 0,
      last_log: 0,
      revision: 1,
    })
    .execute();
}

export async function selectInstallation(db: Db, id: string): Promise<InstallationRow | undefined> {
  const row = await db.selectFrom("installation").selectAll().where("id", "=", id).executeTakeFirst();
  return row && rowOf(row);
}

/** The one that holds the host, if any. */
export async function selectOpenOf(db: Db, hostId: string): Promise<InstallationRow | undefined> {
  const row = await db
    .selectFrom("installation")
    .selectAll()
    .where("host_id", "=", hostId)
    .where("outcome", "=", "open")
    .executeTakeFirst();
  return row && rowOf(row);
}

/** What to list: of these clusters, narrowed by what is set. Newest first. */
export interface InstallationQuery {
  readonly clusters: "all" | readonly string[];
  readonly hostId?: string;
  readonly openOnly?: boolean;
  readonly id?: string;
  /** Only those made before this one. */
  readonly before?: string;
  readonly limit: number;
}

export async function selectNamedInstallations(db: Db, query: InstallationQuery): Promise<NamedInstallationRow[]> {
  let select = db
    .selectFrom("installation")
    .leftJoin("cluster", "cluster.id", "installation.cluster_id")
    .leftJoin("host", "host.id", "installation.host_id")
    .selectAll("installation")
    .select(["cluster.name as cluster", "host.name as host"])
    .orderBy("installation.id", "desc")
    .limit(query.limit);
  if (query.clusters !== "all") select = select.where("installation.cluster_id", "in", [...query.clusters]);
  if (query.hostId !== undefined) select = select.where("installation.host_id", "=", query.hostId);
  if (query.id !== undefined) select = select.where("installation.id", "=", query.id);
  if (query.before !== undefined) select = select.where("installation.id", "<", query.before);
  if (query.openOnly === true) select = select.where("installation.outcome", "=", "open");
  const rows = await select.execute();
  return rows.map((row) => ({ ...rowOf(row), cluster: row.cluster ?? "", host: row.host ?? "" }));
}

/** What may change in an installation's life; the counters only grow. */
export interface InstallationChanges {
  readonly state?: string;
  readonly outcome?: Outcome;
  readonly reason?: string;
  readonly endedAt?: number;
  readonly resumed?: number;
  readonly lastJournal?: number;
  readonly lastLog?: number;
  /** Facts of the machine that enrolled, as JSON; null forgets them. */
  readonly factsJson?: string | null;
  readonly rebootPaused?: boolean;
  readonly goOn?: boolean;
  readonly installer?: string;
  readonly wipe?: boolean;
  readonly wipeDiskSerials?: readonly string[];
}

/** Not executed, so that it can go along with other statements in one batch. */
export function updateInstallation(tx: Tx, id: string, changes: InstallationChanges) {
  const set: UpdateObject<Tables, "installation"> = {
    ...(changes.state !== undefined && { state: changes.state }),
    ...(changes.outcome !== undefined && { outcome: changes.outcome }),
    ...(changes.reason !== undefined && { reason: changes.reason }),
    ...(changes.endedAt !== undefined && { ended_at: changes.endedAt }),
    ...(changes.resumed !== undefined && { resumed: changes.resumed }),
    ...(changes.lastJournal !== undefined && { last_journal: changes.lastJournal }),
    ...(changes.lastLog !== undefined && { last_log: changes.lastLog }),
    ...(changes.factsJson !== undefined && { facts_json: changes.factsJson }),
    ...(changes.rebootPaused !== undefined && { reboot_paused: changes.rebootPaused ? 1 : 0 }),
    ...(changes.goOn !== undefined && { go_on: changes.goOn ? 1 : 0 }),
    ...(changes.installer !== undefined && { installer: changes.installer }),
    ...(changes.wipe !== undefined && { wipe: changes.wipe ? 1 : 0 }),
    ...(changes.wipeDiskSerials !== undefined && { wipe_json: JSON.stringify(changes.wipeDiskSerials) }),
  };
  return tx
    .updateTable("installation")
    .set((eb) => ({ ...set, revision: eb("revision", "+", 1) }))
    .where("id", "=", id);
}

/** Facts of the machine that enrolled, as JSON; null before, and after a freeze was lifted. */
export async function selectInstallationFacts(db: Db, id: string): Promise<string | null> {
  const row = await db.selectFrom("installation").select("facts_json").where("id", "=", id).executeTakeFirst();
  return row?.facts_json ?? null;
}

/** Digests of the installers that machines of unfinished installations booted. */
export async function selectInstallersInUse(db: Db): Promise<string[]> {
  const select = db.selectFrom("installation").select("installer").distinct();
  const rows = await select.where("outcome", "=", "open").where("installer", "!=", "").execute();
  return rows.map(({ installer }) => installer);
}

/** Open installations in one of `states` whose window is over. */
export async function selectOverdue(
  db: Db,
  { now, states, limit }: { readonly now: number; readonly states: readonly string[]; readonly limit: number },
): Promise<string[]> {
  const rows = await db
    .selectFrom("installation")
    .select("id")
    .where("outcome", "=", "open")
    .where("state", "in", [...states])
    .where("window_end_at", "<=", now)
    .orderBy("window_end_at")
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** With its steps, journal and log. */
export async function deleteInstallation(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom("installation").where("id", "=", id).execute();
}

function rowOf(row: Selectable<Tables["installation"]>): InstallationRow {
  return {
    id: row.id,
    hostId: row.host_id,
    clusterId: row.cluster_id,
    state: row.state,
    outcome: row.outcome,
    reason: row.reason,
    image: row.image,
    imageDigest: row.image_digest,
    wipeDiskSerials: JSON.parse(row.wipe_json),
    armedBy: row.armed_by,
    windowEndAt: row.window_end_at,
    createdAt: row.created_at,
    endedAt: row.ended_at,
    resumed: row.resumed,
    storage: { disk: row.disk, rootSizeBytes: row.root_size_bytes, wipe: row.wipe === 1 },
    rescue: row.rescue === 1,
    rebootPaused: row.reboot_paused === 1,
    goOn: row.go_on === 1,
    installer: row.installer,
    lastJournal: row.last_journal,
    lastLog: row.last_log,
  };
}
