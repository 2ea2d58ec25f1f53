/** Which recordings go: those that are too old, and the oldest of too many. */
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { formatDuration } from "../../../proto/values/duration.ts";
import { formatSize } from "../../../proto/values/size.ts";
import { insertRemovedRecording, type RecordedRow, selectRecorded } from "../../store/recordings.ts";
import { sessionOfFile } from "./recording-files.ts";
import type { RecordingRoom } from "./recording-room.ts";
import type { RecordingsDeps } from "./recordings.ts";

/** What hpsd itself does to a recording, in the audit log. */
const REMOVE_ACTION = "recording.remove";
/** Rows asked for at once. */
const PAGE = 500;
/** A file without a row may be a session's that is just beginning. */
const ORPHAN_MS = 3_600_000;
/** When there are too many, so much is left free that the next do not begin it again. */
const ENOUGH = 0.95;

interface Held {
  readonly id: string;
  readonly files: readonly string[];
  readonly bytes: number;
  /** UTC milliseconds. */
  readonly changedAt: number;
}

/** One round. Tells `room` what there is afterwards. */
export async function pruneRecordings(deps: RecordingsDeps, room: RecordingRoom, signal: AbortSignal): Promise<void> {
  const before = room.held;
  const held = await heldIn(deps.folder);
  const rows = await rowsOf(deps, [...held.keys()]);
  // What grows meanwhile is counted on top.
  let total = [...held.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const { totalBytes } = room.quotas;
  const goal = total > totalBytes ? totalBytes * ENOUGH : totalBytes;
  for (const orphan of held.values()) {
    const isOrphan = !rows.some(({ id }) => id === orphan.id) && orphan.changedAt < deps.clock() - ORPHAN_MS;
    if (isOrphan) total -= await unlinked(orphan);
  }
  for (const row of rows) {
    const recording = held.get(row.id);
    const reason = reasonToGo(deps, room, { row, isTooMuch: total > goal });
    if (signal.aborted || recording === undefined || reason === "") continue;
    if (row.removedAt === null) await noteRemoval(deps, row, { reason, bytes: recording.bytes });
    total -= await unlinked(recording);
  }
  room.counted(total - before);
}

/** Empty: it stays. */
function reasonToGo(
  { clock }: RecordingsDeps,
  { quotas }: RecordingRoom,
  { row, isTooMuch }: { readonly row: RecordedRow; readonly isTooMuch: boolean },
): string {
  if (row.endedAt === null) return "";
  if (row.removedAt !== null) return "removed already";
  if (row.endedAt < clock() - quotas.keepMs) return `it was older than ${formatDuration(quotas.keepMs)}`;
  return isTooMuch ? `all recordings together held more than ${formatSize(quotas.totalBytes)}` : "";
}

/** The row and the event first: a file that is gone has its reason, whatever happens between. */
async function noteRemoval(
  { store, audit, clock }: RecordingsDeps,
  { id, hostId, clusterId, recordingDigest }: RecordedRow,
  { reason, bytes }: { readonly reason: string; readonly bytes: number },
): Promise<void> {
  const details = { session: id, recordingDigest, bytes: String(bytes) };
  await store.write(async (tx) => {
    await insertRemovedRecording(tx, id, { removedAt: clock(), reason });
    const who = { actor: "hpsd", action: REMOVE_ACTION, address: "" };
    await audit.allowed(tx, who, { target: `host:${hostId}`, clusterId, reason, details });
  });
}

async function unlinked({ files, bytes }: Held): Promise<number> {
  for (const file of files) await rm(file, { force: true });
  return bytes;
}

/** By session. */
async function heldIn(folder: string): Promise<ReadonlyMap<string, Held>> {
  const found = new Map<string, Held>();
  for (const name of await namesIn(folder)) {
    const id = sessionOfFile(name);
    const file = path.join(folder, name);
    const status = id === undefined ? undefined : await stat(file).catch(() => undefined);
    if (id === undefined || status === undefined) continue;
    const { files, bytes, changedAt } = found.get(id) ?? { files: [], bytes: 0, changedAt: 0 };
    found.set(id, {
      ...{ id, files: [...files, file], bytes: bytes + status.size },
      changedAt: Math.max(changedAt, status.mtimeMs),
    });
  }
  return found;
}

/** Before the first session there is no folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** The first to end first. */
async function rowsOf({ store }: RecordingsDeps, ids: readonly string[]): Promise<RecordedRow[]> {
  const rows: RecordedRow[] = [];
  for (let from = 0; from < ids.length; from += PAGE) {
    const page = ids.slice(from, from + PAGE);
    rows.push(...(await store.read((db) => selectRecorded(db, page))));
  }
  return rows.toSorted((a, b) => (a.endedAt ?? Number.POSITIVE_INFINITY) - (b.endedAt ?? Number.POSITIVE_INFINITY));
}
