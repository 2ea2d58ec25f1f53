import { type RemovedRecording, selectEventsAround } from "../../store/recordings.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { digestOfFile } from "./recording-file.ts";
import { fileOfPart, mainPart } from "./recording-files.ts";
import type { RecordingsDeps } from "./recordings.ts";
import { END_ACTION } from "./session-records.ts";
import { readWholeLines } from "./whole-lines.ts";

/** What a recording, its session's row and the audit log say of each other. */
export interface RecordingVerdict {
  /** A sentence each; none when all agree. */
  readonly problems: readonly string[];
  /** Of the file as it is; empty when there is none. */
  readonly digest: string;
  readonly sessionDigest: string;
  readonly auditDigest: string;
  /** 0 when no event tells of the session's end. */
  readonly auditSequence: number;
}

type EndedRow = SessionRow & { readonly endedAt: number };

/** The row's time and the event's are taken in one transaction, one after the other. */
const SAME_TIME_MS = 60_000;
/** As the last line of a cast has the files beside it. */
const BESIDE = /(raw|input) (\d+) bytes (sha256:[0-9a-f]{64})/g;

export async function verifyRecording(
  deps: RecordingsDeps,
  row: EndedRow,
  removed: RemovedRecording | undefined,
): Promise<RecordingVerdict> {
  const event = await endEvent(deps, row);
  const auditDigest = event?.details.recordingDigest ?? "";
  const sessionDigest = row.recordingDigest;
  const main = fileOfPart(deps.folder, row.id, mainPart(row.command));
  const digest = (await digestOfFile(main))?.digest ?? "";
  const problems = [
    ...(event === undefined ? ["the audit log has no event of this session's end, or retention has removed it"] : []),
    ...(event !== undefined && auditDigest !== sessionDigest
      ? ["the session's row and the audit log have different digests"]
      : []),
    ...problemsOfFile({ digest, sessionDigest }, removed),
    ...(digest === "" ? [] : await problemsBeside(deps.folder, row, main)),
  ];
  return { problems, digest, sessionDigest, auditDigest, auditSequence: event?.sequence ?? 0 };
}

async function endEvent({ store, clock }: RecordingsDeps, { id, hostId, endedAt, keptByAgent }: EndedRow) {
  // What an agent brought afterwards was written down when it came, and its end is by the agent's clock.
  const withinMs = keptByAgent ? Math.abs(clock() - endedAt) + SAME_TIME_MS : SAME_TIME_MS;
  const query = { action: END_ACTION, target: `host:${hostId}`, at: endedAt, withinMs };
  const events = await store.read((db) => selectEventsAround(db, query));
  return events.find(({ details }) => details.session === id);
}

function problemsOfFile(
  { digest, sessionDigest }: { readonly digest: string; readonly sessionDigest: string },
  removed: RemovedRecording | undefined,
): string[] {
  if (removed !== undefined) {
    const when = new Date(removed.removedAt).toISOString();
    return [`the recording was removed at ${when}: ${removed.reason}`];
  }
  if (sessionDigest === "") return ["the session was not recorded"];
  if (digest === "") return ["the recording's file is gone, and nothing says why"];
  return digest === sessionDigest ? [] : ["the recording is not what it was when the session ended"];
}

/** The raw file, and what was typed, are as the end of the cast says. */
async function problemsBeside(folder: string, { id, command }: SessionRow, main: string): Promise<string[]> {
  if (command.length > 0) return [];
  let last = "";
  await readWholeLines(main, (line) => {
    if (line.startsWith("# raw ")) last = line;
    return true;
  });
  if (last === "") return ["the recording has no end, so nothing says what its raw file was"];
  const problems: string[] = [];
  for (const [, name = "", , digest] of last.matchAll(BESIDE)) {
    const is = await digestOfFile(fileOfPart(folder, id, name === "raw" ? "raw" : "input"));
    if (is?.digest !== digest) problems.push(`its part "${name}" is not what it was when the session ended`);
  }
  return problems;
}
