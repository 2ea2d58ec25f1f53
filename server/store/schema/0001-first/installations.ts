import { sql } from "kysely";
import type { SchemaWriter } from "../../store-handle.ts";
import { big, bytes, createTable, integer, key, oneOf, optionalBig, optionalText, partOf, text } from "../table.ts";

type Db = SchemaWriter;

export async function installations(db: Db): Promise<void> {
  await createTable(
    db,
    "installation",
    {
      id: key,
      host_id: text,
      cluster_id: text,
      state: text,
      outcome: oneOf("outcome", ["open", "succeeded", "cancelled", "expired"]),
      reason: text,
      image: text,
      wipe_json: text,
      armed_by: text,
      window_end_at: big,
      created_at: big,
      ended_at: optionalBig,
      facts_json: optionalText,
      resumed: integer,
      last_journal: big,
      last_log: big,
      revision: integer,
    },
    {
      indexes: [
        ["host_id", "created_at"],
        ["cluster_id", "created_at"],
      ],
    },
  );
  // At most one open installation holds a host.
  const open = db.schema.createIndex("installation_open").on("installation").column("host_id").unique();
  await open.where(sql.ref("outcome"), "=", sql.lit("open")).execute();
}

export async function steps(db: Db): Promise<void> {
  await createTable(
    db,
    "step",
    {
      installation_id: partOf("installation"),
      ordinal: integer,
      name: text,
      state: oneOf("state", ["pending", "running", "succeeded", "failed"]),
      attempt: integer,
      done: big,
      total: big,
      unit: text,
      reason: text,
      started_at: optionalBig,
      ended_at: optionalBig,
    },
    { primaryKey: ["installation_id", "name"] },
  );
}

export async function journals(db: Db): Promise<void> {
  const entry = { installation_id: partOf("installation"), sequence: big, at: big };
  const primaryKey = ["installation_id", "sequence"];
  await createTable(db, "journal", { ...entry, entry: bytes }, { primaryKey });
  await createTable(db, "log_line", { ...entry, source: text, text: bytes }, { primaryKey });
  await createTable(
    db,
    "agent_run",
    { run_id: key, identity: text, last_sequence: big, started_at: big },
    { indexes: [["identity", "started_at"]] },
  );
}
