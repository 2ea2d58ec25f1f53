import { createHash } from "node:crypto";

/** What of an audit event its digest covers: all there is, as it is stored. */
export interface DigestedEvent {
  readonly sequence: number;
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly cluster_id: string | null;
  readonly address: string;
  readonly outcome: string;
  readonly reason: string;
  readonly incident: string;
  readonly details_json: string;
}

/**
 * `sha256:…` over an event and the digest of the one before it (empty for the first of all), so that none can be altered,
 * added or taken away unseen by who knows a later digest. Never changes: stored events and kept heads are in its words.
 */
export function auditDigest(before: string, event: DigestedEvent): string {
  const { sequence, at, actor, action, target, cluster_id, address, outcome, reason, incident, details_json } = event;
  const fields = [sequence, at, actor, action, target, cluster_id, address, outcome, reason, incident, details_json];
  const text = JSON.stringify([before, ...fields]);
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
