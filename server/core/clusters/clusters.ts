import type { DomainName } from "../../../proto/values/domain-name.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { MirrorUrl } from "../../../proto/values/mirror-url.ts";
import type { ObjectName } from "../../../proto/values/object-name.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import {
  type Admission,
  type ClusterQuery,
  type ClusterRecord,
  clusterById,
  countIn,
  deleteCluster,
  insertCluster,
  OPEN_SHELL_POLICY,
  type ShellPolicy,
  selectClusters,
  updateCluster,
} from "../../store/clusters.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import { locateCluster } from "../../store/lookup.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { checkEtag } from "../changes/etag.ts";
import { pageOf } from "../page.ts";
import { checkDirectPolicy } from "../shells/direct-list.ts";
import type { RecordingMode } from "../shells/recording.ts";

/** What may change; text was checked where it came in. */
export interface ClusterSettings {
  readonly description: string;
  readonly domain: DomainName;
  readonly admission: Admission;
  /** A change of some of it leaves the rest. */
  readonly shellPolicy?: Partial<ShellPolicy>;
  /** All of them; none where nothing is said. */
  readonly imageMirrors?: readonly MirrorUrl[];
  /** So many tags of each name of an image are kept; 0, and where nothing is said: all. */
  readonly imageKeep?: number;
}

export interface ClusterPage {
  readonly clusters: readonly ClusterRecord[];
  /** The name the next page begins after; absent on the last. */
  readonly next?: string;
}

interface Deps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly changes: Changes;
  /** Of hpsd's configuration; default strict. */
  readonly recording?: RecordingMode;
}

/** The clusters. Who may have which is decided before: ids come from Access. */
export class Clusters {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async get(id: string): Promise<ClusterRecord> {
    return await this.#deps.store.read((db) => existing(db, id));
  }

  /** By name. */
  async list(query: ClusterQuery): Promise<ClusterPage> {
    if (query.clusters.length === 0) return { clusters: [] };
    const found = await this.#deps.store.read((db) => selectClusters(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit);
    return { clusters: items, ...(last && { next: last.name }) };
  }

  /** `exists` when the name is taken. */
  async create(who: AuditActor, name: ObjectName, settings: ClusterSettings): Promise<ClusterRecord> {
    const id = newUuid();
    return await this.#deps.store.write(async (tx) => {
      if ((await locateCluster(tx, name)) !== undefined) throw new HpsError("exists", `cluster ${name} exists already`);
      const shellPolicy = { ...OPEN_SHELL_POLICY, ...settings.shellPolicy };
      checkDirectPolicy(shellPolicy, name, this.#deps.recording);
      const images = { imageMirrors: settings.imageMirrors ?? [], imageKeep: settings.imageKeep ?? 0 };
      await insertCluster(tx, { id, name, ...settings, shellPolicy, ...images, at: this.#deps.clock() });
      return await this.#changed(tx, who, id);
    });
  }

  /** `aborted` when the etag is neither empty nor the current one. */
  async update(who: AuditActor, id: string, change: Partial<ClusterSettings>, etag: string): Promise<ClusterRecord> {
    return await this.#deps.store.write(async (tx) => {
      const before = await existing(tx, id);
      const { name, description, domain, admission, imageMirrors, imageKeep } = before;
      checkEtag(before, etag, `cluster ${name}`);
      const changed = { description, domain, admission, imageMirrors, imageKeep, ...change };
      const policy = { ...before.shellPolicy, ...change.shellPolicy };
      if (change.shellPolicy !== undefined) checkDirectPolicy(policy, name, this.#deps.recording);
      await updateCluster(tx, id, { ...changed, shellPolicy: policy, at: this.#deps.clock() });
      return await this.#changed(tx, who, id);
    });
  }

  /** `precondition` while hosts or images are in it. */
  async delete(who: AuditActor, id: string, etag: string): Promise<void> {
    const { store, audit, changes } = this.#deps;
    await store.write(async (tx) => {
      const cluster = await existing(tx, id);
      checkEtag(cluster, etag, `cluster ${cluster.name}`);
      for (const what of ["host", "image"] as const) {
        const count = await countIn(tx, what, id);
        if (count > 0) throw stillInUse(cluster.name, what, count);
      }
      await deleteCluster(tx, id);
      await changes.note(tx, { kind: "cluster", objectId: id, clusterId: id, deleted: true });
      const details = { name: cluster.name };
      await audit.allowed(tx, who, { target: `cluster:${id}`, clusterId: id, details });
    });
  }

  async #changed(tx: Tx, who: AuditActor, id: string): Promise<ClusterRecord> {
    const { audit, changes } = this.#deps;
    const cluster = await existing(tx, id);
    const { name, domain, admission, shellPolicy, imageMirrors, imageKeep } = cluster;
    await changes.note(tx, { kind: "cluster", objectId: id, clusterId: id, deleted: false });
    const images = { imageMirrors: imageMirrors.join(" "), imageKeep: String(imageKeep) };
    const details = { name, domain, admission, shells: JSON.stringify(shellPolicy), ...images };
    await audit.allowed(tx, who, { target: `cluster:${id}`, clusterId: id, details });
    return cluster;
  }
}

/** It was there when access was decided; it may have been deleted since. */
async function existing(db: Db, id: string): Promise<ClusterRecord> {
  const cluster = await clusterById(db, id);
  if (cluster === undefined) throw new HpsError("not-found", "the cluster was just deleted");
  return cluster;
}

function stillInUse(name: string, what: "host" | "image", count: number): HpsError {
  const found = count === 1 ? `1 ${what} is` : `${count} ${what}s are`;
  return new HpsError("precondition", `cluster ${name} cannot be deleted: ${found} in it`, {
    hint: `delete its ${what}s first: hpsctl ${what} ls --cluster ${name}`,
  });
}
