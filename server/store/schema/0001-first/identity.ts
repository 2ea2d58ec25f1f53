import type { SchemaWriter } from "../../store-handle.ts";
import { big, createTable, key, oneOf, optionalBig, optionalText, partOf, text, uniqueText } from "../table.ts";

type Db = SchemaWriter;

export async function identity(db: Db): Promise<void> {
  await createTable(db, "setting", { name: key, value: text });
  await createTable(db, "operator", { id: key, name: uniqueText, created_at: big });
  await createTable(
    db,
    "role_binding",
    { operator_id: partOf("operator"), cluster_id: text, role: oneOf("role", ["viewer", "operator", "admin"]) },
    { primaryKey: ["operator_id", "cluster_id"] },
  );
  await createTable(db, "invitation", {
    token_hash: key,
    operator_id: partOf("operator"),
    created_at: big,
    expires_at: big,
    public_key: optionalText,
    certificate_serial: optionalText,
  });
}

export async function certificates(db: Db): Promise<void> {
  await createTable(db, "intermediate", {
    id: key,
    state: oneOf("state", ["prepared", "active", "retired"]),
    pem: optionalText,
    not_after: optionalBig,
    created_at: big,
  });
  await createTable(
    db,
    "certificate",
    {
      serial: key,
      kind: oneOf("kind", ["operator", "installer", "host", "server"]),
      subject: text,
      host_id: optionalText,
      cluster_id: optionalText,
      state: oneOf("state", ["waiting", "valid", "suspended", "revoked"]),
      fingerprint: uniqueText,
      public_key: text,
      not_before: big,
      not_after: big,
      issued_at: big,
      revoked_at: optionalBig,
      revoke_reason: text,
      pem: text,
      replaces: optionalText,
    },
    { indexes: [["kind", "subject"], ["host_id"], ["issued_at"]] },
  );
}
