import type { Db } from "./database.ts";

/** Who has a MAC or an address. */
export interface Owner {
  readonly value: string;
  readonly hostId: string;
  readonly clusterId: string;
  /** `cluster/name`. */
  readonly host: string;
}

/** Of the given MACs, those some host has. */
export async function macOwners(db: Db, macs: readonly string[]): Promise<Owner[]> {
  if (macs.length === 0) return [];
  const select = db
    .selectFrom("host_mac")
    .innerJoin("host", "host.id", "host_mac.host_id")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["host_mac.mac as value", "host.id", "host.cluster_id", "host.name", "cluster.name as cluster"]);
  return (await select.where("host_mac.mac", "in", [...macs]).execute()).map(ownerOf);
}

/** Of the given addresses, those some host has. */
export async function addressOwners(db: Db, addresses: readonly string[]): Promise<Owner[]> {
  if (addresses.length === 0) return [];
  const select = db
    .selectFrom("host_address")
    .innerJoin("host", "host.id", "host_address.host_id")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["host_address.address as value", "host.id", "host.cluster_id", "host.name", "cluster.name as cluster"]);
  return (await select.where("host_address.address", "in", [...addresses]).execute()).map(ownerOf);
}

interface Row {
  readonly value: string;
  readonly id: string;
  readonly cluster_id: string;
  readonly name: string;
  readonly cluster: string;
}

function ownerOf({ value, id, cluster_id, name, cluster }: Row): Owner {
  return { value, hostId: id, clusterId: cluster_id, host: `${cluster}/${name}` };
}
