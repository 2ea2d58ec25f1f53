import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import type { Db } from "../../store/database.ts";
import { locateCluster } from "../../store/lookup.ts";
import type { BindingRow, NamedBinding } from "../../store/operators.ts";
import { EVERYWHERE } from "./principal.ts";

const MOST = 1000;

/** Bindings by cluster id. `not-found` for a cluster there is not, `invalid` for one that is named twice. */
export async function bindingsOf(db: Db, named: readonly NamedBinding[]): Promise<readonly BindingRow[]> {
  if (named.length > MOST) throw new HpsError("invalid", `${named.length} roles are more than ${MOST}`);
  const bindings = new Map<string, BindingRow>();
  for (const { cluster, role } of named) {
    const clusterId = await idOf(db, cluster);
    if (bindings.has(clusterId)) throw new HpsError("invalid", `two roles in cluster ${cluster}`);
    bindings.set(clusterId, { clusterId, role });
  }
  return [...bindings.values()];
}

/** Whether they make an admin of all clusters. */
export function holdsAll(bindings: readonly BindingRow[]): boolean {
  return bindings.some(({ clusterId, role }) => clusterId === EVERYWHERE && role === "admin");
}

/** `admin:*, viewer:lab`: for the audit log. */
export function rolesText(roles: readonly NamedBinding[]): string {
  return roles.map(({ cluster, role }) => `${role}:${cluster}`).join(", ");
}

async function idOf(db: Db, cluster: string): Promise<string> {
  if (cluster === EVERYWHERE) return EVERYWHERE;
  const found = await locateCluster(db, cluster);
  if (found === undefined)
    throw new HpsError("not-found", `no cluster ${quote(cluster)}`, { hint: "hpsctl cluster ls shows what there is" });
  return found.id;
}
