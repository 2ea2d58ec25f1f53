import type { SchemaWriter } from "../../store-handle.ts";
import { addColumns, big, createTable, key, needs, oneOf, text } from "../table.ts";

/** Images, and what an installation and a host know since there are any; what each column means stands in tables.ts. */
export async function firstInstall(db: SchemaWriter): Promise<void> {
  await createTable(
    db,
    "image",
    {
      id: key,
      cluster_id: needs("cluster"),
      name: text,
      digest: text,
      size_bytes: big,
      format: oneOf("format", ["tar", "tar-zstd", "tar-xz"]),
      content_bytes: big,
      entries: big,
      lacks_json: text,
      system: text,
      kernel: text,
      imported_by: text,
      created_at: big,
    },
    { unique: [["cluster_id", "name"]], indexes: [["digest"]] },
  );
  await addColumns(db, "installation", {
    disk: ["text", ""],
    root_size_bytes: ["bigint", 0],
    wipe: ["integer", 0],
    rescue: ["integer", 0],
    reboot_paused: ["integer", 0],
    go_on: ["integer", 0],
    installer: ["text", ""],
  });
  await addColumns(db, "host", { network: ["text", "dhcp"], facts_json: ["text", null] });
}
