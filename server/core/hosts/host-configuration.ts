import type { Db } from "../../store/database.ts";
import { type HostRecord, installationOrder } from "../../store/hosts.ts";

/** What a host's own agent is told: its own configuration, and its cluster's facts as a member. */
export interface HostConfiguration {
  readonly hostId: string;
  readonly hostName: string;
  readonly cluster: string;
  readonly domain: string;
  readonly macs: readonly string[];
  readonly addresses: readonly string[];
  readonly profile: string;
  readonly tags: ReadonlyMap<string, string>;
  /** What the open installation is to install, and may wipe; empty when there is none. */
  readonly image: string;
  readonly wipeDiskSerials: readonly string[];
}

export async function hostConfiguration(db: Db, host: HostRecord): Promise<HostConfiguration> {
  const { id, name, cluster, domain, macs, addresses, profile, tags } = host;
  const order = host.installation && (await installationOrder(db, host.installation.id));
  const { image, wipeDiskSerials } = order ?? { image: "", wipeDiskSerials: [] };
  return { hostId: id, hostName: name, cluster, domain, macs, addresses, profile, tags, image, wipeDiskSerials };
}
