/** What the store and the audit log hold of sessions. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";
import {
  insertSession,
  type SessionQuery,
  type SessionRow,
  selectSession,
  selectSessionHost,
  selectSessions,
  updateSessionEnd,
} from "../../store/sessions.ts";
import type { Audit, AuditActor, Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { Recorder } from "./recorder.ts";
import type { SessionEnding } from "./shell-session.ts";

export interface SessionRecordsDeps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly changes: Changes;
  readonly clock: Clock;
}

export type SessionHost = Pick<SessionRow, "clusterId" | "cluster" | "host">;

/** What hpsd itself does at the end of a session, in the audit log. */
export const END_ACTION = "session.end";
/** Of a command, in the audit log; its recording has all of it. */
const MAX_SHOWN_COMMAND = 4096;

type Details = Readonly<Record<string, string>>;

export class SessionRecords {
  readonly #deps: SessionRecordsDeps;

  constructor(deps: SessionRecordsDeps) {
    this.#deps = deps;
  }

  async hostOf(hostId: string): Promise<SessionHost> {
    const host = await this.#deps.store.read((db) => selectSessionHost(db, hostId));
    if (host === undefined) throw new HpsError("not-found", `no host ${hostId}`);
    return host;
  }

  /** `not-found` when there is none. */
  async get(id: string): Promise<SessionRow> {
    const row = await this.#deps.store.read((db) => selectSession(db, id));
    if (row === undefined) throw new HpsError("not-found", `no session ${id}`);
    return row;
  }

  async list(query: SessionQuery): Promise<readonly SessionRow[]> {
    return await this.#deps.store.read((db) => selectSessions(db, query));
  }

  /** Row, change and audit event in one. */
  async begin(
    row: SessionRow,
    who: AuditActor,
    { complete, recordsInput }: Pick<Recorder, "complete" | "recordsInput">,
  ): Promise<void> {
    await this.#asked(row, who, {
      recorded: complete ? "yes" : "no",
      ...(recordsInput && { input: "recorded" }),
      ...(row.approver && { approver: row.approver }),
    });
  }

  /** That a session waits for another operator's approval. */
  async ask(row: SessionRow, who: AuditActor): Promise<void> {
    await this.#asked(row, who, { approval: "asked for" });
  }

  /** That somebody acts on a session that goes on: takes part in it, ends it. */
  async touched(
    row: SessionRow,
    who: AuditActor,
    what: { readonly reason: string; readonly details: Details },
  ): Promise<void> {
    const { store, audit } = this.#deps;
    const details = { session: row.id, ...what.details };
    await store.write(async (tx) => await audit.allowed(tx, who, { ...subjectOf(row), reason: what.reason, details }));
  }

  /** A session that went past hpsd, with its whole recording: its agent brings it afterwards, and hpsd saw none of it. */
  async kept(row: SessionRow, who: AuditActor, ending: SessionEnding, more: Details): Promise<void> {
    const { store, audit } = this.#deps;
    const { code, signal, reason, recording, traffic } = ending;
    await store.write(async (tx) => {
      await insertSession(tx, row);
      const { endedAt, recorded } = row;
      const held = { recordingBytes: recording.bytes, recordingDigest: recording.digest, recorded };
      await updateSessionEnd(tx, row.id, { endedAt, exitCode: code, endReason: reason, ...held });
      await this.#note(tx, row);
      const details = {
        ...{ session: row.id, kept: "by the agent", operator: row.operator, from: row.address, why: row.reason },
        ...{ command: JSON.stringify(row.command).slice(0, MAX_SHOWN_COMMAND), ...more, ...traffic },
        ...{ exit: code === null ? "" : String(code), signal: String(signal), recorded: "yes" },
        ...{ recordingBytes: String(recording.bytes), recordingDigest: recording.digest },
      };
      await audit.allowed(tx, { ...who, action: END_ACTION }, { ...subjectOf(row), reason, details });
    });
  }

  async end(row: SessionRow, who: Omit<AuditActor, "action">, ending: SessionEnding, recorded: boolean): Promise<void> {
    const { store, audit, clock } = this.#deps;
    const { code, signal, reason, recording, traffic } = ending;
    await store.write(async (tx) => {
      await updateSessionEnd(tx, row.id, {
        endedAt: clock(),
        exitCode: code,
        endReason: reason,
        recordingBytes: recording.bytes,
        recordingDigest: recording.digest,
        recorded,
      });
      await this.#note(tx, row);
      const details = {
        ...{ session: row.id, exit: code === null ? "" : String(code), signal: String(signal), ...traffic },
        ...{ recorded: recorded ? "yes" : "no", recordingBytes: String(recording.bytes) },
        recordingDigest: recording.digest,
      };
      await audit.allowed(tx, { ...who, action: END_ACTION }, { ...subjectOf(row), reason, details });
    });
  }

  async #asked(row: SessionRow, who: AuditActor, more: Details): Promise<void> {
    const { store, audit } = this.#deps;
    const command = JSON.stringify(row.command).slice(0, MAX_SHOWN_COMMAND);
    await store.write(async (tx) => {
      await insertSession(tx, row);
      await this.#note(tx, row);
      const details = { session: row.id, command, ...more };
      await audit.allowed(tx, who, { ...subjectOf(row), reason: row.reason, details });
    });
  }

  async #note(tx: Parameters<Changes["note"]>[0], { id, clusterId }: SessionRow): Promise<void> {
    await this.#deps.changes.note(tx, { kind: "session", objectId: id, clusterId, deleted: false });
  }
}

function subjectOf({ hostId, clusterId }: SessionRow): { readonly target: string; readonly clusterId: string } {
  return { target: `host:${hostId}`, clusterId };
}
