import type { Db, Tx } from "./database.ts";

/** What is known of a recording that retention removed. */
export interface RemovedRecording {
  /** UTC milliseconds. */
  readonly removedAt: number;
  readonly reason: string;
}

export async function insertRemovedRecording(tx: Tx, sessionId: string, removed: RemovedRecording): Promise<void> {
  const { removedAt, reason } = removed;
  await tx.insertInto("removed_recording").values({ session_id: sessionId, removed_at: removedAt, reason }).execute();
}

export async function selectRemovedRecording(db: Db, sessionId: string): Promise<RemovedRecording | undefined> {
  return await db
    .selectFrom("removed_recording")
    .select(["removed_at as removedAt", "reason"])
    .where("session_id", "=", sessionId)
    .executeTakeFirst();
}

/** Of a session that has a recording, or had one. */
export interface RecordedRow {
  readonly id: string;
  readonly hostId: string;
  readonly clusterId: string;
  /** UTC milliseconds; null while it goes on. */
  readonly endedAt: number | null;
  readonly recordingDigest: string;
  readonly removedAt: number | null;
}

/** Of these sessions, those that exist. */
export async function selectRecorded(db: Db, ids: readonly string[]): Promise<RecordedRow[]> {
  return await db
    .selectFrom("session")
    .leftJoin("removed_recording", "removed_recording.session_id", "session.id")
    .select(["session.id", "session.host_id as hostId", "session.cluster_id as clusterId"])
    .select(["session.ended_at as endedAt", "session.recording_digest as recordingDigest"])
    .select("removed_recording.removed_at as removedAt")
    .where("session.id", "in", [...ids])
    .execute();
}

/** An event that a session's end was told by. */
export interface SessionEndEvent {
  readonly sequence: number;
  readonly details: Readonly<Record<string, string>>;
}

/** The events of this action about a target around a time, within `withinMs`: few, because the time has an index. */
export async function selectEventsAround(
  db: Db,
  query: { readonly action: string; readonly target: string; readonly at: number; readonly withinMs: number },
): Promise<SessionEndEvent[]> {
  const { action, target, at, withinMs } = query;
  const rows = await db
    .selectFrom("audit")
    .select(["sequence", "details_json"])
    .where("at", ">=", at - withinMs)
    .where("at", "<=", at + withinMs)
    .where("action", "=", action)
    .where("target", "=", target)
    .execute();
  return rows.map(({ sequence, details_json }) => ({ sequence, details: JSON.parse(details_json) }));
}
