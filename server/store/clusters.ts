import { type MirrorUrl, parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import type { Db, Tx } from "./database.ts";
import { deleteLibrary } from "./packs.ts";

export type Admission = "armed" | "approve";

/** What a cluster asks of every shell on its hosts. Times in milliseconds, 0: no limit. */
export interface ShellPolicy {
  /** Whether role operator is enough, or everybody needs a grant. */
  readonly access: "role" | "grant";
  readonly reasonRequired: boolean;
  readonly approvalRequired: boolean;
  readonly timeLimit: number;
  readonly idleLimit: number;
  readonly recordInput: boolean;
  /** No shell without a recording, whatever hpsd's own configuration says. */
  readonly strictRecording: boolean;
  /** While no hpsd is there, a host's own agent lets in who may enter it. */
  readonly direct: boolean;
}

/** Of a cluster that says nothing. */
export const OPEN_SHELL_POLICY: ShellPolicy = {
  ...{ access: "role", reasonRequired: false, approvalRequired: false, timeLimit: 0, idleLimit: 0 },
  ...{ recordInput: false, strictRecording: false, direct: false },
};

/** What an operator decides about a cluster. */
export interface ClusterFields {
  readonly description: string;
  readonly domain: string;
  readonly admission: Admission;
  readonly shellPolicy: ShellPolicy;
  /** Where packs of images are beside hpsd, in the order to be tried. */
  readonly imageMirrors: readonly MirrorUrl[];
  /** So many tags of each name of an image are kept, those made or moved last; 0: all. */
  readonly imageKeep: number;
}

export interface ClusterRecord extends ClusterFields {
  readonly id: string;
  readonly name: string;
  /** UTC milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: number;
}

export interface NewCluster extends ClusterFields {
  readonly id: string;
  readonly name: string;
  readonly at: number;
}

export async function insertCluster(tx: Tx, { at, ...fields }: NewCluster): Promise<void> {
  await tx
    .insertInto("cluster")
    .values({ ...rowOf(fields), created_at: at, updated_at: at, revision: 1 })
    .execute();
}

export async function clusterById(db: Db, id: string): Promise<ClusterRecord | undefined> {
  const row = await db.selectFrom("cluster").selectAll().where("id", "=", id).executeTakeFirst();
  return row && recordOf(row);
}

export interface ClusterQuery {
  /** Ids; at least one. */
  readonly clusters: "all" | readonly string[];
  /** Only those with a name after this one. */
  readonly after?: string;
  readonly limit: number;
}

/** By name. */
export async function selectClusters(db: Db, { clusters, after, limit }: ClusterQuery): Promise<ClusterRecord[]> {
  let select = db.selectFrom("cluster").selectAll().orderBy("name").limit(limit);
  if (clusters !== "all") select = select.where("id", "in", [...clusters]);
  if (after !== undefined) select = select.where("name", ">", after);
  return (await select.execute()).map(recordOf);
}

export async function updateCluster(
  tx: Tx,
  id: string,
  fields: ClusterFields & { readonly at: number },
): Promise<void> {
  const { at, ...rest } = fields;
  const changed = rowOf(rest);
  await tx
    .updateTable("cluster")
    .set((eb) => ({ ...changed, updated_at: at, revision: eb("revision", "+", 1) }))
    .where("id", "=", id)
    .execute();
}

/** Role bindings in it go too, and what is left of its library. The foreign keys refuse it while hosts are in it. */
export async function deleteCluster(tx: Tx, id: string): Promise<void> {
  await deleteLibrary(tx, id);
  await tx.deleteFrom("role_binding").where("cluster_id", "=", id).execute();
  await tx.deleteFrom("cluster").where("id", "=", id).execute();
}

/** How many of them are in it; of images, those that have a name. */
export async function countIn(db: Db, table: "host" | "image", clusterId: string): Promise<number> {
  const select = db
    .selectFrom(table)
    .select(({ fn }) => fn.countAll().as("count"))
    .where("cluster_id", "=", clusterId)
    .where("name", "is not", null);
  return Number((await select.executeTakeFirst())?.count ?? 0);
}

/** Where packs are beside hpsd, for the hosts of a cluster. */
export async function imageMirrorsOf(db: Db, id: string): Promise<readonly MirrorUrl[]> {
  const select = db.selectFrom("cluster").select("image_mirrors_json").where("id", "=", id);
  return mirrorsIn((await select.executeTakeFirst())?.image_mirrors_json ?? "[]");
}

function mirrorsIn(json: string): readonly MirrorUrl[] {
  const texts: readonly string[] = JSON.parse(json);
  return texts.map(parseMirrorUrl);
}

interface Row extends Omit<ClusterFields, "shellPolicy" | "imageMirrors" | "imageKeep"> {
  readonly id: string;
  readonly name: string;
  readonly shell_json: string;
  readonly image_mirrors_json: string;
  readonly image_keep: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
}

function rowOf<Fields extends ClusterFields>({ shellPolicy, imageMirrors, imageKeep, ...rest }: Fields) {
  const lists = { shell_json: JSON.stringify(shellPolicy), image_mirrors_json: JSON.stringify(imageMirrors) };
  return { ...rest, ...lists, image_keep: imageKeep };
}

function recordOf({ created_at, updated_at, shell_json, image_mirrors_json, image_keep, ...row }: Row): ClusterRecord {
  const shellPolicy: ShellPolicy = { ...OPEN_SHELL_POLICY, ...JSON.parse(shell_json) };
  const imageMirrors = mirrorsIn(image_mirrors_json);
  return { ...row, shellPolicy, imageMirrors, imageKeep: image_keep, createdAt: created_at, updatedAt: updated_at };
}
