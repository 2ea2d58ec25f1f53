import { newClaimToken } from "../../../proto/values/claim-token.ts";
import { digestOf } from "../../../proto/values/digest.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { formatInvitation } from "../../../proto/values/invitation.ts";
import type { ObjectName } from "../../../proto/values/object-name.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import { countOpenInvitations, insertInvitation, pruneInvitations } from "../../store/invitations.ts";
import {
  countOtherGlobalAdmins,
  deleteOperator,
  insertOperator,
  type NamedBinding,
  type OperatorRow,
  replaceBindings,
  selectBindings,
  selectNamedBindings,
  selectOperator,
  selectOperators,
} from "../../store/operators.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { Authority } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import type { LiveCalls } from "./live-calls.ts";
import { EVERYWHERE } from "./principal.ts";
import type { Principals } from "./principals.ts";
import { bindingsOf, holdsAll, rolesText } from "./role-bindings.ts";
import { tokenHash } from "./token-hash.ts";

/** A person or program, and what it may do where. */
export interface Operator {
  readonly name: string;
  readonly roles: readonly NamedBinding[];
  /** UTC milliseconds. */
  readonly createdAt: number;
}

export interface Invite {
  readonly name: ObjectName;
  /** Of a new operator; empty for one that exists. */
  readonly roles: readonly NamedBinding[];
  readonly validityMs: number;
}

export interface Invited {
  readonly operator: Operator;
  /** For `hpsctl login`; shown once. */
  readonly token: string;
  readonly expiresAt: number;
}

export interface OperatorsDeps {
  readonly store: HpsStore;
  readonly changes: Changes;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly principals: Principals;
  readonly live: LiveCalls;
}

const SHORTEST_MS = 60_000;
const LONGEST_MS = 7 * 24 * 60 * 60 * 1000;
export const DEFAULT_VALIDITY_MS = 24 * 60 * 60 * 1000;
const MOST_OPEN = 10;

/** The operators: invited, given roles, deleted. Someone who may do everything always stays. */
export class Operators {
  readonly #deps: OperatorsDeps;

  constructor(deps: OperatorsDeps) {
    this.#deps = deps;
  }

  /** Makes the operator, or finds it, and gives a one-time token of which only the hash is kept. `exists` for one with roles asked. */
  async invite(who: AuditActor, { name, roles, validityMs }: Invite): Promise<Invited> {
    if (!(validityMs >= SHORTEST_MS && validityMs <= LONGEST_MS)) {
      throw new HpsError("invalid", "an invitation is good for 1 minute to 7 days");
    }
    const { store, clock, authority, audit } = this.#deps;
    const token = newClaimToken();
    const expiresAt = clock() + validityMs;
    const operator = await store.write(async (tx) => {
      const row = await this.#madeOrFound(tx, name, roles);
      await this.#refuseTooMany(tx, row);
      const invitation = { tokenHash: tokenHash(token), operatorId: row.id, createdAt: clock(), expiresAt };
      await insertInvitation(tx, { ...invitation, publicKey: null, certificateSerial: null });
      const operator = await viewOf(tx, row);
      await audit.allowed(tx, who, { target: `operator:${name}`, details: { roles: rolesText(operator.roles) } });
      return operator;
    });
    return { operator, expiresAt, token: formatInvitation({ token, rootDigest: digestOf(authority.root.raw) }) };
  }

  /** `hpsd recover-admin`, for who can read the state folder: an invitation for an operator that is, or becomes, admin of all clusters. */
  async recoverAdmin(who: AuditActor, name: ObjectName, validityMs: number): Promise<Invited> {
    const admin = { cluster: EVERYWHERE, role: "admin" } as const;
    const found = await this.#deps.store.read((db) => selectOperator(db, name));
    if (found === undefined) return await this.invite(who, { name, roles: [admin], validityMs });
    const { roles } = await this.get(name);
    await this.setRoles(who, name, [...roles.filter(({ cluster }) => cluster !== EVERYWHERE), admin]);
    return await this.invite(who, { name, roles: [], validityMs });
  }

  /** `not-found` when there is none of this name. */
  async get(name: string): Promise<Operator> {
    return await this.#deps.store.read(async (db) => await viewOf(db, await existing(db, name)));
  }

  /** By name, above `after`. */
  async list(after: string, limit: number): Promise<readonly Operator[]> {
    return await this.#deps.store.read(async (db) => {
      const views: Operator[] = [];
      for (const row of await selectOperators(db, after, limit)) views.push(await viewOf(db, row));
      return views;
    });
  }

  /** Replaces all roles. Works on the next call; open calls with more than is left end. `precondition` for the last global admin. */
  async setRoles(who: AuditActor, name: string, roles: readonly NamedBinding[]): Promise<Operator> {
    const { store, audit } = this.#deps;
    return await store.write(async (tx) => {
      const row = await existing(tx, name);
      const bindings = await bindingsOf(tx, roles);
      if (!holdsAll(bindings)) await this.#refuseLastAdmin(tx, row);
      await replaceBindings(tx, row.id, bindings);
      await audit.allowed(tx, who, { target: `operator:${name}`, details: { roles: rolesText(roles) } });
      await this.#noteChange(tx, row, false);
      const now = new Map(bindings.map(({ clusterId, role }) => [clusterId, role]));
      tx.afterCommit(() => {
        this.#deps.principals.forgetOperator(name);
        this.#deps.live.operatorChanged(name, now);
      });
      return await viewOf(tx, row);
    });
  }

  /** Its certificates are revoked, its invitations void, its calls end. `precondition` for the last global admin. */
  async delete(who: AuditActor, name: string): Promise<void> {
    const { store, audit, certificates } = this.#deps;
    await store.write(async (tx) => {
      const row = await existing(tx, name);
      await this.#refuseLastAdmin(tx, row);
      await certificates.revoke(tx, { operator: name }, "the operator was deleted");
      await deleteOperator(tx, row.id);
      await audit.allowed(tx, who, { target: `operator:${name}` });
      await this.#noteChange(tx, row, true);
      tx.afterCommit(() => {
        this.#deps.principals.forgetOperator(name);
        this.#deps.live.operatorChanged(name, undefined);
      });
    });
  }

  async #madeOrFound(tx: Tx, name: ObjectName, roles: readonly NamedBinding[]): Promise<OperatorRow> {
    const found = await selectOperator(tx, name);
    if (found !== undefined) {
      if (roles.length === 0) return found;
      throw new HpsError("exists", `operator ${name} exists`, {
        hint: "invite it again without roles, or set its roles",
      });
    }
    if (roles.length === 0)
      throw new HpsError("invalid", `${name} is a new operator and needs a role`, {
        hint: "hpsctl operator invite NAME --role CLUSTER=operator",
      });
    const row = { id: newUuid(), name, createdAt: this.#deps.clock() };
    await insertOperator(tx, row);
    await replaceBindings(tx, row.id, await bindingsOf(tx, roles));
    await this.#noteChange(tx, row, false);
    return row;
  }

  async #refuseTooMany(tx: Tx, row: OperatorRow): Promise<void> {
    await pruneInvitations(tx, this.#deps.clock());
    if ((await countOpenInvitations(tx, row.id)) < MOST_OPEN) return;
    throw new HpsError("exhausted", `operator ${row.name} has ${MOST_OPEN} open invitations`, {
      hint: "use one of them, or wait until one expires",
    });
  }

  /** Counted in the transaction that removes one, and there is one transaction at a time: two cannot both be the last but one. */
  async #refuseLastAdmin(tx: Tx, row: OperatorRow): Promise<void> {
    if (!holdsAll(await selectBindings(tx, row.id))) return;
    if ((await countOtherGlobalAdmins(tx, row.id, this.#deps.clock())) > 0) return;
    throw new HpsError("precondition", `operator ${row.name} is the last admin of all clusters`, {
      hint: "let another operator with role admin in * log in first",
    });
  }

  async #noteChange(tx: Tx, row: OperatorRow, deleted: boolean): Promise<void> {
    await this.#deps.changes.note(tx, { kind: "operator", objectId: row.id, clusterId: null, deleted });
  }
}

async function existing(db: Db, name: string): Promise<OperatorRow> {
  const row = await selectOperator(db, name);
  if (row === undefined) throw new HpsError("not-found", `no operator ${quote(name)}`, { hint: "hpsctl operator ls" });
  return row;
}

async function viewOf(db: Db, { id, name, createdAt }: OperatorRow): Promise<Operator> {
  return { name, createdAt, roles: await selectNamedBindings(db, id) };
}
