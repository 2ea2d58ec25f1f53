/** What becomes of recordings once they are written: they are read, verified, and removed when they are old or too many. */
import { type FileHandle, open } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { selectRemovedRecording } from "../../store/recordings.ts";
import { type SessionRow, selectSession } from "../../store/sessions.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";
import { fileOfPart, partOf, type RecordingPart } from "./recording-files.ts";
import { pruneRecordings } from "./recording-retention.ts";
import { type RecordingQuotas, RecordingRoom } from "./recording-room.ts";
import type { SessionRecordsDeps } from "./session-records.ts";
import type { ShellAdmission } from "./shell-admission.ts";
import { type RecordingVerdict, verifyRecording } from "./verify-recording.ts";

export interface RecordingsDeps extends Omit<SessionRecordsDeps, "changes"> {
  /** Where recordings lie. */
  readonly folder: string;
  readonly quotas: RecordingQuotas;
  /** A removal that failed where nobody waits for it. Must not throw. */
  readonly onError: (error: unknown) => void;
  /** Who may. */
  readonly admission: Pick<ShellAdmission, "join">;
}

/** That somebody read a recording, in the audit log. */
const READ_ACTION = "session.read";
const PIECE = 64 * 1024;

export interface ReadWish {
  readonly part: RecordingPart | undefined;
  readonly offset: number;
}

export class Recordings {
  /** What those that write recordings ask. */
  readonly room: RecordingRoom;
  readonly #deps: RecordingsDeps;
  #pruning: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(deps: RecordingsDeps) {
    this.#deps = deps;
    this.room = new RecordingRoom(deps.quotas, async () => {
      await this.prune(new AbortController().signal).catch(deps.onError);
    });
  }

  /** Removes what is too old, and the oldest of too many, of sessions that have ended: a round that begins from now on. */
  prune(signal: AbortSignal): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#pruning === undefined) return this.#prune(signal);
    // The one that runs may have counted before; all who ask meanwhile share the next.
    this.#next = this.#pruning
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        await this.#prune(signal);
      });
    return this.#next;
  }

  #prune(signal: AbortSignal): Promise<void> {
    this.#pruning = pruneRecordings(this.#deps, this.room, signal).finally(() => {
      this.#pruning = undefined;
    });
    return this.#pruning;
  }

  /**
   * A part of the recording of a session the caller may watch, up to what is written by now. The audit log has it before the
   * first byte goes out. `denied` without a right, `not-found` when it is not there, with why.
   */
  async *read(caller: Caller, id: string, wish: ReadWish): AsyncGenerator<Buffer, void, void> {
    const row = await this.#session(id);
    await this.#deps.admission.join(caller, row, "watch");
    const part = partOf(row, wish.part);
    const file = await this.#open(row, part);
    try {
      await this.#audit(caller, row, { part, offset: String(wish.offset) });
      yield* pieces(file, wish.offset);
    } finally {
      await file.close();
    }
  }

  /** `precondition` while the session goes on: its digest is made at its end. */
  async verify(id: string): Promise<RecordingVerdict> {
    const row = await this.#session(id);
    if (row.endedAt === null) {
      throw new HpsError("precondition", `session ${id} goes on, so its recording has no digest yet`);
    }
    const removed = await this.#deps.store.read((db) => selectRemovedRecording(db, id));
    return await verifyRecording(this.#deps, { ...row, endedAt: row.endedAt }, removed);
  }

  async #session(id: string): Promise<SessionRow> {
    const row = await this.#deps.store.read((db) => selectSession(db, id));
    if (row === undefined) throw new HpsError("not-found", `no session ${id}`);
    return row;
  }

  async #open(row: SessionRow, part: RecordingPart): Promise<FileHandle> {
    try {
      return await open(fileOfPart(this.#deps.folder, row.id, part));
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
      throw await this.#missing(row, part, cause);
    }
  }

  async #missing({ id }: SessionRow, part: RecordingPart, cause: Error): Promise<HpsError> {
    const removed = await this.#deps.store.read((db) => selectRemovedRecording(db, id));
    if (removed !== undefined) {
      const when = new Date(removed.removedAt).toISOString();
      const hint = "the session's row and the audit log still have its digest";
      return new HpsError("not-found", `the recording of session ${id} was removed at ${when}: ${removed.reason}`, {
        hint,
      });
    }
    if (part === "input")
      return new HpsError("not-found", `what was typed in session ${id} was not recorded`, { cause });
    return new HpsError("not-found", `session ${id} has no recording`, {
      hint: "it was not recorded, or its file is gone: the audit log says which",
      cause,
    });
  }

  async #audit(caller: Caller, row: SessionRow, details: Readonly<Record<string, string>>): Promise<void> {
    const { store, audit } = this.#deps;
    const subject = {
      target: `host:${row.hostId}`,
      clusterId: row.clusterId,
      details: { session: row.id, ...details },
    };
    await store.write(
      async (tx) => await audit.allowed(tx, { ...actorOfCaller(caller), action: READ_ACTION }, subject),
    );
  }
}

/** To where the file ends now: of a session that goes on there may be no end otherwise. */
async function* pieces(file: FileHandle, offset: number): AsyncGenerator<Buffer, void, void> {
  const { size } = await file.stat();
  let position = offset;
  while (position < size) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE, size - position));
    const { bytesRead } = await file.read(piece, 0, piece.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}
