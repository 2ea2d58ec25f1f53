import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import { hostIdByName } from "../../store/hosts.ts";
import { selectBindings, selectOperator } from "../../store/operators.ts";
import {
  countShellGrants,
  deleteShellGrant,
  type Grantee,
  type GrantHosts,
  insertShellGrant,
  pruneShellGrants,
  type ShellGrantQuery,
  type ShellGrantRow,
  selectShellGrant,
  selectShellGrants,
} from "../../store/shell-grants.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { type Caller, EVERYWHERE, type Role } from "../identity/principal.ts";
import { pageOf } from "../page.ts";

/** A grant as it is asked for: operator and host by name. */
export interface GrantWish {
  readonly to: { readonly operator: string } | { readonly role: Role };
  /** No tag: every host of the cluster. */
  readonly on: { readonly host: string } | { readonly tags: ReadonlyMap<string, string> };
  readonly permission: "watch" | "enter";
  /** UTC milliseconds; null: until it is removed. */
  readonly expiresAt: number | null;
  readonly reason: string;
}

export interface GrantPage {
  readonly grants: readonly ShellGrantRow[];
  /** What the next page begins after; absent on the last. */
  readonly next?: Pick<ShellGrantRow, "createdAt" | "id">;
}

export interface GrantsDeps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly changes: Changes;
  readonly clock: Clock;
}

const DAY = 86_400_000;
const LONGEST = 366 * DAY;
/** The audit log keeps what was; a list shows for so long what is over. */
const KEPT_AFTER_END = 30 * DAY;
/** Of one cluster: all are read for each decision. */
const MOST = 1000;

/** Who may enter or watch shells beside those whose role is enough. Who may change it is decided before. */
export class Grants {
  readonly #deps: GrantsDeps;

  constructor(deps: GrantsDeps) {
    this.#deps = deps;
  }

  /** Newest first. */
  async list(query: ShellGrantQuery): Promise<GrantPage> {
    if (query.clusters.length === 0) return { grants: [] };
    const found = await this.#deps.store.read((db) => selectShellGrants(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit);
    return { grants: items, ...(last && { next: { createdAt: last.createdAt, id: last.id } }) };
  }

  /** `not-found` for no such operator or host, `exhausted` when a cluster has too many. */
  async create(caller: Caller, clusterId: string, wish: GrantWish): Promise<ShellGrantRow> {
    const { store, audit, clock } = this.#deps;
    const now = clock();
    checkEnd(wish.expiresAt, now);
    const id = newUuid();
    return await store.write(async (tx) => {
      await pruneShellGrants(tx, clusterId, now - KEPT_AFTER_END);
      if ((await countShellGrants(tx, clusterId)) >= MOST) throw tooMany();
      const [to, on] = [await granteeOf(tx, clusterId, wish.to), await hostsOf(tx, clusterId, wish.on)];
      const createdBy = caller.principal.kind === "operator" ? caller.principal.name : "";
      await insertShellGrant(tx, { ...wish, id, clusterId, to, on, createdBy, createdAt: now });
      const grant = await existing(tx, id);
      await this.#note(tx, grant, false);
      const subject = { target: `grant:${id}`, clusterId, reason: wish.reason, details: detailsOf(grant) };
      await audit.allowed(tx, actorOfCaller(caller), subject);
      return grant;
    });
  }

  /** Works on the next call and on open sessions. */
  async delete(caller: Caller, id: string): Promise<void> {
    const { store, audit } = this.#deps;
    await store.write(async (tx) => {
      const grant = await existing(tx, id);
      await deleteShellGrant(tx, id);
      await this.#note(tx, grant, true);
      const subject = { target: `grant:${id}`, clusterId: grant.clusterId, details: detailsOf(grant) };
      await audit.allowed(tx, actorOfCaller(caller), subject);
    });
  }

  async #note(tx: Tx, { id, clusterId }: ShellGrantRow, deleted: boolean): Promise<void> {
    await this.#deps.changes.note(tx, { kind: "grant", objectId: id, clusterId, deleted });
  }
}

/** It was there when access was decided; it may have been deleted since. */
async function existing(db: Db, id: string): Promise<ShellGrantRow> {
  const grant = await selectShellGrant(db, id);
  if (grant === undefined) throw new HpsError("not-found", "the grant was just removed");
  return grant;
}

/** One without a role in the cluster is as absent as one that does not exist: a cluster's admin need not know of others. */
async function granteeOf(db: Db, clusterId: string, to: GrantWish["to"]): Promise<Grantee> {
  if ("role" in to) return to;
  const operator = await selectOperator(db, to.operator);
  const bindings = operator === undefined ? [] : await selectBindings(db, operator.id);
  const isMember = bindings.some((binding) => binding.clusterId === clusterId || binding.clusterId === EVERYWHERE);
  if (operator !== undefined && isMember) return { operatorId: operator.id };
  throw new HpsError("not-found", `no operator ${quote(to.operator)} has a role in this cluster`, {
    hint: "a grant adds to a role, viewer is enough: hpsctl operator set-roles OPERATOR --role CLUSTER=viewer",
  });
}

async function hostsOf(db: Db, clusterId: string, on: GrantWish["on"]): Promise<GrantHosts> {
  if ("tags" in on) return on;
  const hostId = await hostIdByName(db, clusterId, on.host);
  if (hostId !== undefined) return { hostId };
  throw new HpsError("not-found", `no host ${quote(on.host)} in this cluster`, { hint: "hpsctl host ls" });
}

function checkEnd(expiresAt: number | null, now: number): void {
  if (expiresAt === null || (expiresAt > now && expiresAt <= now + LONGEST)) return;
  const problem = expiresAt > now ? "more than a year away" : "over already";
  throw new HpsError("invalid", `the end of the grant is ${problem}`, {
    hint: "name a time within a year, or none: then it holds until it is removed",
  });
}

/** For the audit log, in the words of `hpsctl grant`. */
function detailsOf(grant: ShellGrantRow): Readonly<Record<string, string>> {
  const { to, on, permission, expiresAt } = grant;
  return {
    to: "role" in to ? `role:${to.role}` : `operator:${grant.operator}`,
    on: "hostId" in on ? `host:${grant.host}` : tagsText(on.tags),
    can: permission,
    until: expiresAt === null ? "" : new Date(expiresAt).toISOString(),
  };
}

function tagsText(tags: ReadonlyMap<string, string>): string {
  return tags.size === 0 ? "all hosts" : `tags:${[...tags].map(([key, value]) => `${key}=${value}`).join(",")}`;
}

function tooMany(): HpsError {
  return new HpsError("exhausted", `the cluster has ${MOST} grants`, {
    hint: "grant by tag or role instead of one by one, and remove those nobody needs: hpsctl grant rm",
  });
}
