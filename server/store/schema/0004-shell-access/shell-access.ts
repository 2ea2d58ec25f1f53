import type { SchemaWriter } from "../../store-handle.ts";
import {
  addColumns,
  big,
  createTable,
  key,
  oneOf,
  optionalBig,
  optionalPartOf,
  optionalText,
  partOf,
  text,
} from "../table.ts";

/** Who may enter shells and on which terms; what each column means stands in tables.ts. */
export async function shellAccess(db: SchemaWriter): Promise<void> {
  await createTable(
    db,
    "shell_grant",
    {
      id: key,
      cluster_id: partOf("cluster"),
      operator_id: optionalPartOf("operator"),
      role: optionalText,
      host_id: optionalPartOf("host"),
      tags_json: text,
      permission: oneOf("permission", ["watch", "enter"]),
      expires_at: optionalBig,
      reason: text,
      created_by: text,
      created_at: big,
    },
    { indexes: [["cluster_id", "created_at"]] },
  );
  await addColumns(db, "cluster", { shell_json: ["text", "{}"] });
  await addColumns(db, "session", { approver: ["text", ""], ends_at: ["bigint", null], idle_limit: ["bigint", 0] });
}
