import type { SchemaWriter } from "../../store-handle.ts";
import {
  big,
  createTable,
  integer,
  key,
  oneOf,
  optionalBig,
  optionalInteger,
  optionalText,
  sequence,
  text,
} from "../table.ts";

type Db = SchemaWriter;

export async function records(db: Db): Promise<void> {
  await createTable(
    db,
    "session",
    {
      id: key,
      host_id: text,
      cluster_id: text,
      host_name: text,
      operator: text,
      command_json: text,
      reason: text,
      started_at: big,
      ended_at: optionalBig,
      exit_code: optionalInteger,
      end_reason: text,
      recording_bytes: big,
      recording_digest: text,
    },
    { indexes: [["cluster_id", "started_at"]] },
  );
  await createTable(
    db,
    "audit",
    {
      sequence,
      at: big,
      actor: text,
      action: text,
      target: text,
      cluster_id: optionalText,
      address: text,
      outcome: oneOf("outcome", ["allowed", "refused"]),
      reason: text,
      incident: text,
      details_json: text,
    },
    { indexes: [["at"], ["incident"]] },
  );
  await createTable(db, "change", {
    sequence,
    at: big,
    kind: text,
    object_id: text,
    cluster_id: optionalText,
    deleted: integer,
  });
}
