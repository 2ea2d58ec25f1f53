import type { SchemaWriter } from "../../store-handle.ts";
import { certificates, identity } from "./identity.ts";
import { installations, journals, steps } from "./installations.ts";
import { gate, inventory } from "./inventory.ts";
import { records } from "./records.ts";

/** The tables of the first release; what each column means stands in tables.ts. */
export async function first(db: SchemaWriter): Promise<void> {
  for (const part of [identity, certificates, inventory, gate, installations, steps, journals, records]) await part(db);
}
