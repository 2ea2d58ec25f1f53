import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseVersion, type Version, versionSkew } from "../../../proto/values/version.ts";
import type { VisibleClusters } from "../identity/access.ts";

/** A program or listener hpsd runs. */
export interface ComponentStatus {
  /** `store`, `grpc`, `https`, `boot`, `dnsmasq`. */
  readonly name: string;
  readonly health: "ok" | "degraded" | "failed";
  /** Empty when it is well. */
  readonly reason: string;
}

/** Asks one component how it is. */
type HealthSource = () => ComponentStatus | Promise<ComponentStatus>;

/** An agent that is attached now. */
export interface AttachedAgent {
  readonly clusterId: string;
  /** What it says of itself. */
  readonly version: string;
}

interface AgentVersionCount {
  readonly version: string;
  readonly count: number;
  /** Older than the previous minor version, newer than hpsd, or no version at all. */
  readonly unsupported: boolean;
}

export interface SystemStatus {
  readonly version: Version;
  /** UTC milliseconds. */
  readonly startedAt: number;
  /** Empty for who does not see all clusters. */
  readonly components: readonly ComponentStatus[];
  /** Most frequent first. */
  readonly agentVersions: readonly AgentVersionCount[];
}

export interface StatusSources {
  readonly version: Version;
  readonly startedAt: number;
  readonly components: readonly HealthSource[];
  readonly agents: () => Iterable<AttachedAgent>;
}

/** Agents choose their version text: the tail of an absurd number of versions is cut off. */
const MAX_VERSIONS = 100;

/** How hpsd is, as far as who sees these clusters may know. */
export async function systemStatus(sources: StatusSources, clusters: VisibleClusters): Promise<SystemStatus> {
  const { version, startedAt, components, agents } = sources;
  return {
    version,
    startedAt,
    components: clusters === "all" ? await Promise.all(components.map(async (source) => await source())) : [],
    agentVersions: countVersions(version, agents(), clusters),
  };
}

function countVersions(
  server: Version,
  agents: Iterable<AttachedAgent>,
  clusters: VisibleClusters,
): readonly AgentVersionCount[] {
  const visible = clusters === "all" ? undefined : new Set(clusters);
  const counts = new Map<string, number>();
  for (const { clusterId, version } of agents) {
    if (visible === undefined || visible.has(clusterId)) counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return [...counts]
    .sort(([leftVersion, left], [rightVersion, right]) => right - left || (leftVersion < rightVersion ? -1 : 1))
    .slice(0, MAX_VERSIONS)
    .map(([version, count]) => ({ version, count, unsupported: !isServed(server, version) }));
}

function isServed(server: Version, text: string): boolean {
  try {
    return versionSkew(server, parseVersion(text)) === "served";
  } catch (error) {
    if (error instanceof HpsError) return false;
    throw error;
  }
}
