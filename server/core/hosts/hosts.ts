import type { HostName } from "../../../proto/values/host-name.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { IpAddress } from "../../../proto/values/ip-address.ts";
import type { Mac } from "../../../proto/values/mac.ts";
import type { TagKey, TagValue } from "../../../proto/values/tag.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import { deleteContacts } from "../../store/contacts.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import { type HostKey, type HostQuery, hostKeyOf, selectHosts } from "../../store/host-list.ts";
import {
  deleteHost,
  type HostFields,
  type HostRecord,
  hostById,
  hostByMac,
  insertHost,
  type Resume,
  updateHost,
} from "../../store/hosts.ts";
import { type HostSayings, selectHostSayings } from "../../store/installed-host.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { checkEtag } from "../changes/etag.ts";
import type { Caller } from "../identity/principal.ts";
import { pageOf } from "../page.ts";
import { type HostView, hostViewOf, type IsAttached } from "./host-view.ts";
import { refuseTaken } from "./taken.ts";

export type { HostSayings };

/** What may change; each value was checked where it came in. */
export interface HostSettings {
  readonly name: HostName;
  readonly macs: readonly Mac[];
  readonly addresses: readonly IpAddress[];
  readonly profile: string;
  readonly tags: ReadonlyMap<TagKey, TagValue>;
  readonly resume: Resume;
  /** How the installed system reaches the network. */
  readonly network: HostFields["network"];
}

export interface HostPage {
  readonly hosts: readonly HostView[];
  /** What the next page begins after; absent on the last. */
  readonly next?: HostKey;
}

export interface HostsDeps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly changes: Changes;
  readonly isAttached: IsAttached;
  /** In the transaction that deletes the host: ends what certificates it has. */
  readonly revokeCertificates: (tx: Tx, hostId: string, reason: string) => Promise<unknown>;
  /** After a host is durably gone: closes what it still has open. Quick, does not throw. */
  readonly onDeleted: (hostId: string) => void;
}

/** The machines hpsd knows. Who may have which is decided before: ids come from Access. */
export class Hosts {
  readonly #deps: HostsDeps;

  constructor(deps: HostsDeps) {
    this.#deps = deps;
  }

  /** With what its agents said, which lists leave out. */
  async get(id: string): Promise<HostView & HostSayings> {
    return await this.#deps.store.read(async (db) => {
      return { ...this.#view(await existing(db, id)), ...(await selectHostSayings(db, id)) };
    });
  }

  async list(query: HostQuery): Promise<HostPage> {
    const found = await this.#deps.store.read((db) => selectHosts(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit, (host) => ({ ...host, tags: [...host.tags] }));
    const next = last && { next: hostKeyOf(last, query.order) };
    return { hosts: items.map((host) => this.#view(host)), ...next };
  }

  /** `exists` when the name is taken in the cluster, or a MAC or address by any host. */
  async create(caller: Caller, clusterId: string, fields: HostSettings): Promise<HostView> {
    const id = newUuid();
    return await this.#deps.store.write(async (tx) => {
      await refuseTaken(tx, caller, { id, clusterId, fields });
      await insertHost(tx, { id, clusterId, fields, at: this.#deps.clock() });
      return await this.#changed(tx, caller, id);
    });
  }

  /** `aborted` when the etag is neither empty nor the current one; `precondition` to change MACs during an installation. */
  async update(caller: Caller, id: string, change: Partial<HostSettings>, etag: string): Promise<HostView> {
    return await this.#deps.store.write(async (tx) => {
      const host = await existing(tx, id);
      const what = `host ${host.cluster}/${host.name}`;
      checkEtag(host, etag, what);
      const fields = { ...fieldsOf(host), ...change };
      if (host.installation !== undefined && fields.macs.join() !== host.macs.join())
        throw held(what, "change its MACs");
      await refuseTaken(tx, caller, { id, clusterId: host.clusterId, fields });
      await updateHost(tx, id, fields, this.#deps.clock());
      return await this.#changed(tx, caller, id);
    });
  }

  /** `precondition` during an installation. Its certificates end in the same transaction. */
  async delete(caller: Caller, id: string, etag: string): Promise<void> {
    const { store, audit, changes, revokeCertificates, onDeleted } = this.#deps;
    await store.write(async (tx) => {
      const host = await existing(tx, id);
      const name = `${host.cluster}/${host.name}`;
      checkEtag(host, etag, `host ${name}`);
      if (host.installation !== undefined) throw held(`host ${name}`, "delete it");
      await revokeCertificates(tx, id, "host deleted");
      await deleteHost(tx, id);
      await changes.note(tx, { kind: "host", objectId: id, clusterId: host.clusterId, deleted: true });
      const details = { name, macs: host.macs.join(" ") };
      await audit.allowed(tx, actorOfCaller(caller), { target: `host:${id}`, clusterId: host.clusterId, details });
      tx.afterCommit(() => onDeleted(id));
    });
  }

  /** The host that has this MAC, in the caller's own snapshot or transaction. */
  async byMac(db: Db, mac: Mac): Promise<HostView | undefined> {
    const host = await hostByMac(db, mac);
    return host && this.#view(host);
  }

  /** What follows every change that leaves a host. */
  async #changed(tx: Tx, caller: Caller, id: string): Promise<HostView> {
    const { audit, changes } = this.#deps;
    const host = await existing(tx, id);
    const { cluster, name, macs, addresses, clusterId } = host;
    // A machine that is known is no longer a stranger.
    await deleteContacts(tx, macs);
    await changes.note(tx, { kind: "host", objectId: id, clusterId, deleted: false });
    const details = { name: `${cluster}/${name}`, macs: macs.join(" "), addresses: addresses.join(" ") };
    await audit.allowed(tx, actorOfCaller(caller), { target: `host:${id}`, clusterId, details });
    return this.#view(host);
  }

  #view(host: HostRecord): HostView {
    return hostViewOf(host, this.#deps.isAttached);
  }
}

function fieldsOf({ name, macs, addresses, profile, tags, resume, network }: HostRecord): HostFields {
  return { name, macs, addresses, profile, tags, resume, network };
}

/** It was there when access was decided; it may have been deleted since. */
async function existing(db: Db, id: string): Promise<HostRecord> {
  const host = await hostById(db, id);
  if (host === undefined) throw new HpsError("not-found", "the host was just deleted");
  return host;
}

function held(what: string, wish: string): HpsError {
  return new HpsError("precondition", `cannot ${wish}: an installation holds ${what}`, {
    hint: "wait for its end, disarm the host or cancel the installation",
  });
}
