import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { type Located, locateCluster, locateHost, locateHostByName, locateRecord } from "../../store/lookup.ts";
import { locateShellGrant } from "../../store/shell-grants.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { atLeast, type Caller, clustersOf, EVERYWHERE, type Principal, roleIn } from "./principal.ts";
import type { RecordsRefusals } from "./refusals.ts";

/** Clusters a list may show: their ids, or `all`. */
export type VisibleClusters = "all" | readonly string[];

type Verdict = "allowed" | "hidden" | "role";

/**
 * The core's half of access: which object a request names, and whether the caller may have it. An object of another
 * cluster or another host is as absent as one that does not exist; only the audit log knows the difference.
 */
export class Access {
  readonly #store: HpsStore;
  readonly #refusals: RecordsRefusals;

  constructor(store: HpsStore, refusals: RecordsRefusals) {
    this.#store = store;
    this.#refusals = refusals;
  }

  /** By name. */
  async cluster(caller: Caller, name: string): Promise<Located> {
    return await this.#admit(caller, ["cluster", name], (db) => locateCluster(db, name));
  }

  /** By id or `cluster/name`. */
  async host(caller: Caller, reference: string): Promise<Located> {
    const [cluster = "", name] = reference.split("/");
    return await this.#admit(caller, ["host", reference], (db) =>
      name === undefined ? locateHost(db, reference) : locateHostByName(db, cluster, name),
    );
  }

  /** By id. */
  async installation(caller: Caller, id: string): Promise<Located> {
    return await this.#admit(caller, ["installation", id], (db) => locateRecord(db, "installation", id));
  }

  /** By id. */
  async session(caller: Caller, id: string): Promise<Located> {
    return await this.#admit(caller, ["session", id], (db) => locateRecord(db, "session", id));
  }

  /** By id. */
  async grant(caller: Caller, id: string): Promise<Located> {
    return await this.#admit(caller, ["grant", id], (db) => locateShellGrant(db, id));
  }

  /** To change what all clusters share, an operator must be admin in all of them; to see it, to have a role in any. */
  async shared(caller: Caller): Promise<void> {
    const { principal, needs } = caller;
    if (needs === "viewer") return;
    if (principal.kind === "operator" && atLeast(principal.roles.get(EVERYWHERE), "admin")) return;
    const reason = "needs role admin in all clusters";
    const incident = await this.#refusals.refused(actorOfCaller(caller), { target: "library:shared", reason });
    throw new HpsError("denied", `the shared library ${reason}`, {
      hint: "ask an admin",
      details: { reason: "role", incident },
    });
  }

  /** What a list may show: one cluster by name, or, when the name is empty, all in which the caller has the role. */
  async visible(caller: Caller, cluster: string): Promise<VisibleClusters> {
    if (cluster !== "") return [(await this.cluster(caller, cluster)).id];
    return caller.principal.kind === "operator" ? clustersOf(caller.principal, caller.needs) : [];
  }

  async #admit(
    caller: Caller,
    [what, name]: readonly [string, string],
    locate: (db: Db) => Promise<Located | undefined>,
  ): Promise<Located> {
    const found = await this.#store.read(locate);
    const verdict = found === undefined ? "hidden" : judge(caller, what, found);
    if (found !== undefined && verdict === "allowed") return found;
    const incident = found && (await this.#refuse(caller, `${what}:${found.id}`, found.clusterId));
    if (verdict !== "role" || incident === undefined) throw hidden(what, name);
    throw new HpsError("denied", `${what} ${safeText(name)} needs role ${caller.needs}`, {
      hint: "ask an admin of the cluster",
      details: { reason: "role", incident },
    });
  }

  async #refuse(caller: Caller, target: string, clusterId: string): Promise<string> {
    const reason = `needs role ${caller.needs} in its cluster, or to be its own`;
    return await this.#refusals.refused(actorOfCaller(caller), { target, clusterId, reason });
  }
}

/** No incident id: having one would tell that the object exists. */
function hidden(what: string, name: string): HpsError {
  return new HpsError("not-found", `no ${what} ${safeText(name)}`, { hint: `hpsctl ${what} ls shows what there is` });
}

/** Who may have what: an operator by its role in the object's cluster, an agent what is its own. */
function judge({ principal, needs }: Caller, what: string, found: Located): Verdict {
  if (principal.kind === "operator") {
    const role = roleIn(principal, found.clusterId);
    if (role === undefined) return "hidden";
    return atLeast(role, needs) ? "allowed" : "role";
  }
  return isOwn(principal, what, found) ? "allowed" : "hidden";
}

function isOwn(principal: Exclude<Principal, { kind: "operator" }>, what: string, found: Located): boolean {
  if (principal.kind === "nobody" || found.hostId !== principal.hostId) return false;
  return what !== "installation" || (principal.kind === "installer" && found.id === principal.installationId);
}
