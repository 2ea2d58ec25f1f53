import type { Db, Tx } from "./database.ts";

/** A shell session, open or ended. Times are UTC milliseconds. */
export interface SessionRow {
  readonly id: string;
  readonly hostId: string;
  readonly clusterId: string;
  /** Of the cluster; empty when it is gone. */
  readonly cluster: string;
  /** As the host was called when it began. */
  readonly host: string;
  readonly operator: string;
  /** Empty: a login shell on a terminal. */
  readonly command: readonly string[];
  readonly reason: string;
  /** From where it was begun. */
  readonly address: string;
  /** Run of the agent that serves it: another run knows nothing of it. */
  readonly agentRun: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Null while open, and when the program did not end by itself. */
  readonly exitCode: number | null;
  readonly endReason: string;
  readonly recordingBytes: number;
  /** `sha256:…`, empty when there is none. */
  readonly recordingDigest: string;
  /** All of it is recorded. */
  readonly recorded: boolean;
  /** When retention removed its recording; null while that is there, or never was. */
  readonly recordingRemovedAt: number | null;
  /** It went past hpsd, and is what the host's agent said afterwards. */
  readonly keptByAgent?: boolean;
  /** The operator who approved it; empty when nobody had to. */
  readonly approver: string;
  /** When its time is over; null without a limit. */
  readonly endsAt: number | null;
  /** A terminal ends when nobody types for so many milliseconds; 0 without a limit. */
  readonly idleLimit: number;
  /** Fingerprint of the certificate it was begun with. */
  readonly certificate: string;
  /** Its cluster wants no shell without a recording. */
  readonly strict: boolean;
}

export type NewSession = Omit<SessionRow, "cluster" | "recordingRemovedAt" | keyof SessionEnd>;
export type SessionEnd = Pick<
  SessionRow,
  "endedAt" | "exitCode" | "endReason" | "recordingBytes" | "recordingDigest" | "recorded"
>;

/** What to list, newest first. */
export interface SessionQuery {
  readonly clusters: "all" | readonly string[];
  readonly openOnly: boolean;
  /** Only what began before this one. */
  readonly before?: Pick<SessionRow, "startedAt" | "id">;
  readonly limit: number;
}

/** What a session keeps of its host; undefined when there is none. */
export async function selectSessionHost(
  db: Db,
  hostId: string,
): Promise<Pick<SessionRow, "clusterId" | "cluster" | "host"> | undefined> {
  return await db
    .selectFrom("host")
    .innerJoin("cluster", "cluster.id", "host.cluster_id")
    .select(["cluster.id as clusterId", "cluster.name as cluster", "host.name as host"])
    .where("host.id", "=", hostId)
    .executeTakeFirst();
}

/** Also of one that is there already, because it waited for its approval. */
export async function insertSession(tx: Tx, { id, ...session }: NewSession): Promise<void> {
  const values = valuesOf(session);
  await tx
    .insertInto("session")
    .values({ id, ...values })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(values))
    .execute();
}

function valuesOf(session: Omit<NewSession, "id">) {
  return {
    host_id: session.hostId,
    cluster_id: session.clusterId,
    host_name: session.host,
    operator: session.operator,
    command_json: JSON.stringify(session.command),
    reason: session.reason,
    started_at: session.startedAt,
    ended_at: null,
    exit_code: null,
    end_reason: "",
    recording_bytes: 0,
    recording_digest: "",
    address: session.address,
    agent_run: session.agentRun,
    kept_by_agent: session.keptByAgent === true ? 1 : 0,
    recorded: 1,
    approver: session.approver,
    ends_at: session.endsAt,
    idle_limit: session.idleLimit,
    certificate: session.certificate,
    strict: session.strict ? 1 : 0,
  };
}

export async function updateSessionEnd(tx: Tx, id: string, end: SessionEnd): Promise<void> {
  await tx
    .updateTable("session")
    .set({
      ended_at: end.endedAt,
      exit_code: end.exitCode,
      end_reason: end.endReason,
      recording_bytes: end.recordingBytes,
      recording_digest: end.recordingDigest,
      recorded: end.recorded ? 1 : 0,
    })
    .where("id", "=", id)
    .execute();
}

export async function selectSession(db: Db, id: string): Promise<SessionRow | undefined> {
  const row = await sessions(db).where("session.id", "=", id).executeTakeFirst();
  return row && sessionOf(row);
}

export async function selectSessions(
  db: Db,
  { clusters, openOnly, before, limit }: SessionQuery,
): Promise<SessionRow[]> {
  let select = sessions(db).orderBy("session.started_at", "desc").orderBy("session.id", "desc").limit(limit);
  if (clusters !== "all") select = select.where("session.cluster_id", "in", [...clusters]);
  if (openOnly) select = select.where("session.ended_at", "is", null);
  if (before !== undefined) {
    select = select.where(({ eb, and, or }) =>
      or([
        eb("session.started_at", "<", before.startedAt),
        and([eb("session.started_at", "=", before.startedAt), eb("session.id", "<", before.id)]),
      ]),
    );
  }
  return (await select.execute()).map(sessionOf);
}

function sessions(db: Db) {
  return db
    .selectFrom("session")
    .leftJoin("cluster", "cluster.id", "session.cluster_id")
    .leftJoin("removed_recording", "removed_recording.session_id", "session.id")
    .selectAll("session")
    .select(["cluster.name as cluster_name", "removed_recording.removed_at as recording_removed_at"]);
}

type Joined = Awaited<ReturnType<ReturnType<typeof sessions>["execute"]>>[number];

function sessionOf(row: Joined): SessionRow {
  return {
    id: row.id,
    hostId: row.host_id,
    clusterId: row.cluster_id,
    cluster: row.cluster_name ?? "",
    host: row.host_name,
    operator: row.operator,
    command: JSON.parse(row.command_json),
    reason: row.reason,
    address: row.address,
    agentRun: row.agent_run,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    exitCode: row.exit_code,
    endReason: row.end_reason,
    recordingBytes: row.recording_bytes,
    recordingDigest: row.recording_digest,
    recorded: row.recorded === 1,
    recordingRemovedAt: row.recording_removed_at,
    keptByAgent: row.kept_by_agent === 1,
    approver: row.approver,
    endsAt: row.ends_at,
    idleLimit: row.idle_limit,
    certificate: row.certificate,
    strict: row.strict === 1,
  };
}
