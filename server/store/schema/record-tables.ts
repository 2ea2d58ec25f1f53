/** What hpsd tells of what was done: see tables.ts for how values are written. */
import type { Generated } from "kysely";

export interface AuditTable {
  sequence: Generated<number>;
  at: number;
  actor: string;
  action: string;
  target: string;
  cluster_id: string | null;
  address: string;
  outcome: "allowed" | "refused";
  reason: string;
  incident: string;
  details_json: string;
  /** Covers this event and the digest before it: see audit-digest.ts. */
  digest: string;
}

/** The last event that retention took: the first one kept continues its digest. */
export interface AuditAnchorTable {
  id: string;
  sequence: number;
  digest: string;
}

/** The ordered feed that every watch reads. Written in the transaction of the change itself. */
export interface ChangeTable {
  sequence: Generated<number>;
  at: number;
  kind: "cluster" | "host" | "installation" | "operator" | "certificate" | "session" | "contact" | "grant";
  object_id: string;
  cluster_id: string | null;
  /** 1 when the object is gone. */
  deleted: number;
}

/** A recording whose files retention removed; the session's row keeps its digest. */
export interface RemovedRecordingTable {
  session_id: string;
  removed_at: number;
  reason: string;
}
