import type { Change } from "../../store/changes.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { hostKeyOf, selectHosts } from "../../store/host-list.ts";
import { type HostRecord, hostsByIds, hostsOfInstallations } from "../../store/hosts.ts";
import type { Changes } from "../changes/changes.ts";
import type { VisibleClusters } from "../identity/access.ts";
import { type HostView, hostViewOf, type IsAttached } from "./host-view.ts";

const PAGE = 500;

/** What a watcher is told: a host as it is, or that it is gone. */
export interface HostNews {
  /** Watching again after it misses nothing. */
  readonly sequence: number;
  readonly hostId: string;
  /** Absent when the host is gone. */
  readonly host?: HostView;
}

interface Deps {
  readonly store: HpsStore;
  readonly changes: Changes;
  readonly isAttached: IsAttached;
}

/**
 * After 0: all hosts of these clusters as they are, then their changes; else the changes after `after`. Until `signal`.
 * `out-of-range` when changes are no longer kept. A host whose shown state did not change is not told again.
 */
export async function* watchHosts(
  deps: Deps,
  clusters: VisibleClusters,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<HostNews, void, void> {
  const told = new Map<string, string>();
  const start = after === 0 ? await deps.changes.last() : after;
  if (after === 0) {
    for await (const news of hostsAsTheyAre(deps, clusters, start)) {
      if (news.host) told.set(news.hostId, faceOf(news.host));
      yield news;
    }
  }
  for await (const page of deps.changes.followPages(start, signal)) {
    for (const news of await newsOf(deps, clusters, page)) {
      const face = news.host && faceOf(news.host);
      if (face !== undefined && told.get(news.hostId) === face) continue;
      if (face === undefined) told.delete(news.hostId);
      else told.set(news.hostId, face);
      yield news;
    }
  }
}

/**
 * Only the last one carries the sequence to go on from: who was cut off before begins again at 0, since changes alone
 * would never tell it of the hosts it did not hear of.
 */
async function* hostsAsTheyAre(
  { store, isAttached }: Deps,
  clusters: VisibleClusters,
  sequence: number,
): AsyncGenerator<HostNews, void, void> {
  let held: HostRecord | undefined;
  let last: HostRecord | undefined;
  do {
    const begin = last && { after: hostKeyOf(last, "create_time") };
    const query = { clusters, terms: [], order: "create_time", descending: false, limit: PAGE, ...begin } as const;
    const page = await store.read((db) => selectHosts(db, query));
    for (const host of page) {
      if (held) yield { sequence: 0, hostId: held.id, host: hostViewOf(held, isAttached) };
      held = host;
    }
    last = page.length === PAGE ? page.at(-1) : undefined;
  } while (last !== undefined);
  if (held) yield { sequence, hostId: held.id, host: hostViewOf(held, isAttached) };
}

/** One item a host that a page of changes is about, in the order of the last change of each. */
async function newsOf(
  { store, isAttached }: Deps,
  clusters: VisibleClusters,
  page: readonly Change[],
): Promise<HostNews[]> {
  const visible = page.filter(({ clusterId }) => clusterId !== null && isIn(clusters, clusterId));
  if (visible.length === 0) return [];
  return await store.read(async (db) => {
    const changed = await hostsChanged(db, visible);
    const hosts = new Map((await hostsByIds(db, [...changed.keys()], clusters)).map((host) => [host.id, host]));
    return [...changed].map(([hostId, sequence]) => {
      const host = hosts.get(hostId);
      return { sequence, hostId, ...(host && { host: hostViewOf(host, isAttached) }) };
    });
  });
}

/** By host the sequence of its last change. An installation's changes are its host's. */
async function hostsChanged(db: Db, page: readonly Change[]): Promise<Map<string, number>> {
  const installations = page.filter(({ kind }) => kind === "installation").map(({ objectId }) => objectId);
  const hostOf = await hostsOfInstallations(db, installations);
  const changed = new Map<string, number>();
  for (const { kind, objectId, sequence } of page) {
    const hostId = kind === "host" ? objectId : kind === "installation" ? hostOf.get(objectId) : undefined;
    if (hostId === undefined) continue;
    changed.delete(hostId);
    changed.set(hostId, sequence);
  }
  return changed;
}

function isIn(clusters: VisibleClusters, clusterId: string): boolean {
  return clusters === "all" || clusters.includes(clusterId);
}

/** What of a host can differ between two tellings. */
function faceOf({ revision, state, installation, attached, agentVersion, updatedAt }: HostView): string {
  return [revision, state, installation?.id, attached, agentVersion, updatedAt].join(" ");
}
