import { holdBufferRoom } from "../../../proto/flow/buffer-room.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { type AuditActor, actorOfCaller } from "../audit/audit.ts";
import { digestOfRecording, Recorder, type RecorderOptions } from "./recorder.ts";
import type { RecordingMode } from "./recording.ts";
import type { RecordingRoom } from "./recording-room.ts";
import { Screens } from "./screens.ts";
import type { SessionRecords } from "./session-records.ts";
import type { Asked } from "./session-row.ts";
import { SessionScreen } from "./session-screen.ts";
import { SessionSlots, type SlotLimits } from "./session-slots.ts";
import { type SessionEnding, ShellSession } from "./shell-session.ts";

export interface HoldLimits {
  /** How long a terminal lives without anybody who takes part. */
  readonly holdMs: number;
  /** How long it lives without its agent. */
  readonly lostMs: number;
}

export interface OpenSessionsDeps {
  readonly records: SessionRecords;
  readonly clock: () => number;
  /** Where recordings lie; made when it is not there. */
  readonly folder: string;
  readonly recording: RecordingMode;
  /** Without it recordings have no quota. */
  readonly room?: RecordingRoom;
  /** Calls back when one is over; must not throw. */
  readonly onOver: (session: ShellSession) => void;
  /** For the log: a recording or a row that could not be written. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** One run of a host's agent. */
export interface AttachedRun {
  readonly hostId: string;
  readonly runId: string;
  /** When its machine was started, where it says so. */
  readonly bootedAt?: number;
}

/** What hpsd does by itself. */
const HPSD = { actor: "hpsd", address: "" };

/** The sessions that go on, each with its row, its recording and its place among so many. */
export class OpenSessions {
  readonly #deps: OpenSessionsDeps;
  readonly #holds: HoldLimits;
  readonly #slots: SessionSlots;
  readonly #sessions = new Map<string, ShellSession>();
  readonly #screens = new Screens();

  constructor(deps: OpenSessionsDeps, limits: SlotLimits & HoldLimits) {
    this.#deps = deps;
    this.#holds = limits;
    this.#slots = new SessionSlots(limits);
  }

  get all(): readonly ShellSession[] {
    return [...this.#sessions.values()];
  }

  get(id: string): ShellSession | undefined {
    return this.#sessions.get(id);
  }

  /** A new one: audited and recorded. `exhausted`, or `unavailable` when nothing can be recorded. */
  async begin({ caller, start, terms }: Asked, row: SessionRow): Promise<ShellSession> {
    const { recording, records } = this.#deps;
    const free = this.#slots.take(row.hostId);
    try {
      const mode = terms.strictRecording ? "strict" : recording;
      const recordInput = terms.recordInput || start.recordInput === true;
      const options = this.#recorderOptions(mode);
      const recorder = await Recorder.create(options, row, { ...start, recordInput }).catch(this.#reported);
      await records.begin(row, actorOfCaller(caller), recorder).catch(async (error: unknown) => {
        await recorder.finish({ code: null, reason: "the session did not begin", traffic: {} });
        throw error;
      });
      return this.#add(row, { recorder, free, who: actorOfCaller(caller), window: start.terminal });
    } catch (error) {
      free();
      throw error;
    }
  }

  /** A terminal that an earlier hpsd left, with its recording: it waits for its agent. Rejects when that cannot be. */
  async restore(row: SessionRow): Promise<ShellSession> {
    const { recording, clock } = this.#deps;
    const free = this.#slots.take(row.hostId);
    try {
      const options = this.#recorderOptions(row.strict ? "strict" : recording);
      const recorder = await Recorder.reopen(options, row, clock());
      return this.#add(row, { recorder, free, who: HPSD, restored: true });
    } catch (error) {
      free();
      throw error;
    }
  }

  /** Ends what an earlier hpsd left and nobody can go on with; its recording is made whole as far as it goes. */
  async endLeft(row: SessionRow, reason: string): Promise<void> {
    const { records, folder, clock } = this.#deps;
    const end = { code: null, reason, traffic: {} };
    const recorder = await Recorder.reopen(this.#recorderOptions("best-effort"), row, clock());
    const recording = recorder.complete
      ? await recorder.finish(end)
      : await digestOfRecording(folder, row.id, row.command);
    await records.end(row, HPSD, { ...end, signal: 0, recording }, recording.digest !== "");
  }

  /** Another run of an agent knows nothing of the sessions of the run before. */
  agentAttached({ hostId, runId, bootedAt }: AttachedRun): void {
    for (const session of this.all) {
      const { row } = session;
      if (row.hostId === hostId && row.agentRun !== runId && session.goesOn)
        session.endBecause(runIsGone(row, bootedAt));
    }
  }

  /** What that agent had begun to open will not come. */
  agentDetached({ hostId, runId }: AttachedRun): void {
    for (const session of this.all) {
      const { row, state } = session;
      if (row.hostId !== hostId || row.agentRun !== runId || state !== "waiting") continue;
      session.endBecause(`the agent of host ${row.host} was lost while it opened the shell`);
    }
  }

  #recorderOptions(mode: RecordingMode): RecorderOptions {
    const { folder, room } = this.#deps;
    return { folder, mode, room };
  }

  #add(row: SessionRow, { recorder, free, who, window, restored = false }: Parts): ShellSession {
    const buffers = holdBufferRoom();
    const onEnd = async (session: ShellSession, ending: SessionEnding) => {
      await this.#ended(session, who, ending);
      buffers[Symbol.dispose]();
      free();
    };
    const { folder } = this.#deps;
    const screen = new SessionScreen({ screens: this.#screens, folder, id: row.id, window });
    const session = new ShellSession({
      row,
      recorder,
      onEnd,
      ...(row.command.length === 0 && { screen }),
      restored,
      clock: this.#deps.clock,
      ...this.#holds,
    });
    this.#sessions.set(row.id, session);
    return session;
  }

  async #ended(session: ShellSession, who: Parts["who"], ending: SessionEnding): Promise<void> {
    const { records, onError } = this.#deps;
    this.#deps.onOver(session);
    const { row, recorder } = session;
    try {
      if (!recorder.complete) onError(recorder.failure);
      await records.end(row, who, ending, recorder.complete);
    } catch (error) {
      // The next start ends the row: see `Shells.recover`.
      onError(error);
    } finally {
      this.#sessions.delete(row.id);
    }
  }

  readonly #reported = (error: unknown): never => {
    this.#deps.onError(error instanceof HpsError ? (error.cause ?? error) : error);
    throw error;
  };
}

/** A machine that was started after the session was restarted under it. */
function runIsGone({ host, startedAt }: SessionRow, bootedAt: number | undefined): string {
  if (bootedAt !== undefined && bootedAt > startedAt) return `host ${host} was restarted, and what ran on it is gone`;
  const anew = `the agent of host ${host} was started anew, and what ran under it is gone`;
  return bootedAt === undefined ? `${anew}: was the host restarted?` : anew;
}

interface Parts {
  readonly recorder: Recorder;
  readonly free: () => void;
  readonly who: Omit<AuditActor, "action">;
  /** The terminal's size at its beginning, where this hpsd saw that. */
  readonly window?: WindowSize | undefined;
  readonly restored?: boolean;
}
