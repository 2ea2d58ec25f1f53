import type { IpAddress } from "../../../proto/values/ip-address.ts";
import type { Mac } from "../../../proto/values/mac.ts";
import { type Contact, type ContactQuery, pruneContacts, selectContacts, upsertContact } from "../../store/contacts.ts";
import type { HpsStore } from "../../store/database.ts";
import type { GroupCommit } from "../../store/group-commit.ts";
import { macOwners } from "../../store/host-owners.ts";
import type { Tables } from "../../store/schema/tables.ts";
import type { Clock } from "../audit/audit.ts";
import { pageOf } from "../page.ts";

/** How many unknown machines are remembered; the one not seen for longest is forgotten first. */
const MAX_CONTACTS = 1_000;
const MAX_ENTRIES = 32;
const MAX_KEY = 32;
const MAX_VALUE_BYTES = 256;

export interface ContactPage {
  readonly contacts: readonly Contact[];
  /** What the next page begins after; absent on the last. */
  readonly next?: { readonly lastSeenAt: number; readonly mac: string };
}

interface Deps {
  readonly store: HpsStore;
  /** A crowd of strangers shares its commits. */
  readonly writes: GroupCommit<Tables>;
  readonly clock: Clock;
  /** Default 1 000. */
  readonly keep?: number;
}

/** The unknown machines that knocked. What they say of themselves is bounded and never trusted. */
export class Contacts {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Remembers that this machine asked how to boot. A MAC that a host has meanwhile is left out. */
  async seen(mac: Mac, address: IpAddress, inventory: ReadonlyMap<string, string>): Promise<void> {
    const { writes, clock, keep = MAX_CONTACTS } = this.#deps;
    const sighting = { mac, address, inventory: bounded(inventory), at: clock() };
    await writes.submit(async (tx) => {
      if ((await macOwners(tx, [mac])).length > 0) return;
      await upsertContact(tx, sighting);
      await pruneContacts(tx, keep);
    });
  }

  /** Newest first. */
  async list(query: ContactQuery): Promise<ContactPage> {
    const found = await this.#deps.store.read((db) => selectContacts(db, { ...query, limit: query.limit + 1 }));
    const { items, last } = pageOf(found, query.limit);
    return { contacts: items, ...(last && { next: { lastSeenAt: last.lastSeenAt, mac: last.mac } }) };
  }
}

/** Firmware's own words: the first entries, keys of plain words only, values cut. */
function bounded(inventory: ReadonlyMap<string, string>): Record<string, string> {
  const plain = [...inventory].filter(([key]) => key.length <= MAX_KEY && /^[a-z][a-z0-9._-]*$/.test(key));
  return Object.fromEntries(plain.slice(0, MAX_ENTRIES).map(([key, value]) => [key, cut(value.toWellFormed())]));
}

/** Cut between characters, not within one. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= MAX_VALUE_BYTES) return text;
  const bytes = Buffer.from(text).subarray(0, MAX_VALUE_BYTES);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true });
}
