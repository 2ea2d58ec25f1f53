import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Db } from "../../store/database.ts";
import { addressOwners, macOwners, type Owner } from "../../store/host-owners.ts";
import { hostIdByName } from "../../store/hosts.ts";
import { type Caller, roleIn } from "../identity/principal.ts";

interface Wish {
  readonly id: string;
  readonly clusterId: string;
  readonly fields: {
    readonly name: string;
    readonly macs: readonly string[];
    readonly addresses: readonly string[];
  };
}

/** `exists` when another host has the name in this cluster, or one of the MACs or addresses anywhere. */
export async function refuseTaken(db: Db, caller: Caller, { id, clusterId, fields }: Wish): Promise<void> {
  const namesake = await hostIdByName(db, clusterId, fields.name);
  if (namesake !== undefined && namesake !== id) {
    throw new HpsError("exists", `the cluster has a host ${fields.name} already`, { hint: "give it another name" });
  }
  refuse(caller, id, "MAC address", await macOwners(db, fields.macs));
  refuse(caller, id, "address", await addressOwners(db, fields.addresses));
}

/** Which host has it is named only to who may see that host: else one could search other clusters by trying. */
function refuse(caller: Caller, id: string, what: string, owners: readonly Owner[]): void {
  const owner = owners.find(({ hostId }) => hostId !== id);
  if (owner === undefined) return;
  const { principal } = caller;
  const visible = principal.kind === "operator" && roleIn(principal, owner.clusterId) !== undefined;
  const holder = visible ? `belongs to host ${owner.host}` : "is already taken";
  throw new HpsError("exists", `${what} ${owner.value} ${holder}`, {
    hint: `each ${what} belongs to one host in all of hpsd`,
  });
}
