import type { SchemaWriter } from "../../store-handle.ts";
import {
  big,
  createTable,
  integer,
  key,
  needs,
  oneOf,
  optionalBig,
  optionalText,
  partOf,
  text,
  uniqueText,
} from "../table.ts";

type Db = SchemaWriter;

export async function inventory(db: Db): Promise<void> {
  const history = { created_at: big, updated_at: big, revision: integer };
  await createTable(db, "cluster", {
    id: key,
    name: uniqueText,
    description: text,
    domain: text,
    admission: oneOf("admission", ["armed", "approve"]),
    ...history,
  });
  await createTable(
    db,
    "host",
    {
      id: key,
      cluster_id: needs("cluster"),
      name: text,
      profile: text,
      resume: oneOf("resume", ["never", "once", "always"]),
      installed_at: optionalBig,
      agent_version: text,
      boot_json: optionalText,
      ...history,
    },
    { unique: [["cluster_id", "name"]] },
  );
  const belongs = { host_id: partOf("host"), ordinal: integer };
  await createTable(db, "host_mac", { mac: key, ...belongs }, { indexes: [["host_id"]] });
  await createTable(db, "host_address", { address: key, ...belongs }, { indexes: [["host_id"]] });
  await createTable(
    db,
    "host_tag",
    { host_id: partOf("host"), key: text, value: text },
    { primaryKey: ["host_id", "key"], indexes: [["key", "value"]] },
  );
}

export async function gate(db: Db): Promise<void> {
  await createTable(
    db,
    "claim",
    {
      id: key,
      token_hash: optionalText,
      installation_id: partOf("installation"),
      host_id: text,
      mac: text,
      address: text,
      issued_at: big,
      expires_at: big,
      fetched_at: optionalBig,
      voided_at: optionalBig,
      void_reason: text,
      public_key: optionalText,
      pending_at: optionalBig,
      pending_facts_json: optionalText,
      pending_address: optionalText,
      approved_at: optionalBig,
      approved_by: optionalText,
      certificate_serial: optionalText,
    },
    { unique: [["token_hash"]], indexes: [["installation_id", "issued_at"]] },
  );
  await createTable(
    db,
    "contact",
    { mac: key, address: text, first_seen_at: big, last_seen_at: big, inventory_json: text },
    { indexes: [["last_seen_at"]] },
  );
}
