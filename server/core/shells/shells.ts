import type { MessageInitShape } from "@bufbuild/protobuf";
import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import type { OpenShellSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { SessionQuery, SessionRow } from "../../store/sessions.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";
import type { Participant } from "./participant.ts";
import { digestOfRecording, Recorder } from "./recorder.ts";
import type { RecordingMode } from "./recording.ts";
import type { RecordingRoom } from "./recording-room.ts";
import { SessionRecords, type SessionRecordsDeps } from "./session-records.ts";
import { SessionSlots } from "./session-slots.ts";
import { type SessionEnding, ShellSession } from "./shell-session.ts";
import { parseReason, type ShellStart } from "./shell-start.ts";

/** What sessions need of Presence. */
interface ShellPresence {
  isAttached(hostId: string): boolean;
  /** Run of the agent that attached last; undefined when none is attached. */
  runOf(hostId: string): string | undefined;
  /** Resolves when the agent has done it. */
  send(
    hostId: string,
    command: { readonly case: "openShell"; readonly value: MessageInitShape<typeof OpenShellSchema> },
  ): Promise<void>;
}

export interface ShellLimits {
  readonly perHost: number;
  readonly inAll: number;
  /** For the agent to open its end. */
  readonly serveMs: number;
  /** How long a terminal lives without anybody who takes part. */
  readonly holdMs: number;
}

export interface AttachWish {
  readonly write: boolean;
  /** Of one that writes: becomes the terminal's size. */
  readonly window?: WindowSize;
}

/** A session that goes on, as it is shown. */
export type LiveSession = Pick<ShellSession, "state" | "participants" | "recorder">;

export interface ShellsDeps extends SessionRecordsDeps {
  readonly presence: ShellPresence;
  /** Where recordings lie; made when it is not there. */
  readonly folder: string;
  readonly recording: RecordingMode;
  /** Without it recordings have no quota. */
  readonly room?: RecordingRoom;
  /** For the log: a recording or a row that could not be written. Must not throw. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<ShellLimits>;
}

const LIMITS: ShellLimits = { perHost: 16, inAll: 1000, serveMs: 10_000, holdMs: 600_000 };
const GONE = "the operator went away";
const AFTER_CRASH = "hpsd ended before the session did";
const PAGE = 100;

/** The shell sessions of this hpsd: each from an operator's call to an agent's stream, recorded on the way. */
export class Shells {
  readonly #deps: ShellsDeps;
  readonly #limits: ShellLimits;
  readonly #records: SessionRecords;
  readonly #slots: SessionSlots;
  readonly #sessions = new Map<string, ShellSession>();
  #stopping = false;

  constructor(deps: ShellsDeps) {
    this.#deps = deps;
    this.#limits = { ...LIMITS, ...deps.limits };
    this.#records = new SessionRecords(deps);
    this.#slots = new SessionSlots(this.#limits);
  }

  /** Bytes held now, by session. */
  get bufferedBytes(): ReadonlyMap<string, number> {
    return new Map([...this.#sessions].map(([id, session]) => [id, session.bufferedBytes]));
  }

  /**
   * A session on a host the caller may enter: recorded, audited, served by the host's agent. `signal` is the operator's
   * call. Errors: `unavailable` when no agent is attached or nothing can be recorded, `exhausted`, `deadline`.
   */
  async open(caller: Caller, hostId: string, start: ShellStart, signal: AbortSignal): Promise<Participant> {
    if (this.#stopping) throw stoppingError();
    if (!this.#deps.presence.isAttached(hostId)) throw notAttached((await this.#records.hostOf(hostId)).host);
    const free = this.#slots.take(hostId);
    const session = await this.#begin(caller, hostId, start, free).catch((error: unknown) => {
      free();
      throw error;
    });
    const owner = session.join({ ...who(caller), role: "owner", joinedAt: this.#deps.clock() });
    const leave = () => owner.leave(GONE);
    signal.addEventListener("abort", leave, { once: true });
    try {
      if (signal.aborted) leave();
      if (this.#stopping) void session.end({ code: null, signal: 0, reason: stoppingError().message });
      await this.#awaitAgent(session, start);
    } finally {
      signal.removeEventListener("abort", leave);
    }
    return owner;
  }

  /**
   * Takes part in a session the caller may see: as its owner when the caller began it and wants to write, as a watcher
   * else. `precondition` when it is over.
   */
  async attach(caller: Caller, id: string, wish: AttachWish, signal: AbortSignal): Promise<Participant> {
    if (this.#stopping) throw stoppingError();
    const session = this.#going(id);
    const { operator, address } = who(caller);
    const role = wish.write && operator === session.row.operator ? "owner" : "watcher";
    await this.#records.touched(session.row, actorOfCaller(caller), { reason: "", details: { role } });
    const participant = session.join({ operator, address, role, joinedAt: this.#deps.clock() });
    try {
      await session.welcome(participant, wish);
    } catch (error) {
      participant.leave(GONE);
      throw error;
    }
    if (signal.aborted) participant.leave(GONE);
    return participant;
  }

  /** Ends a session for everybody. `precondition` when it is over. */
  async kill(caller: Caller, id: string, reason: string): Promise<SessionRow> {
    const session = this.#going(id);
    const why = parseReason(reason);
    await this.#records.touched(session.row, actorOfCaller(caller), { reason: why, details: {} });
    const by = `${who(caller).operator} ended it`;
    await session.end({ code: null, signal: 0, reason: why === "" ? by : `${by}: ${why}` });
    return await this.get(id);
  }

  /** What is known of a session that goes on, beside its row; undefined when it is over. */
  live(id: string): LiveSession | undefined {
    return this.#sessions.get(id);
  }

  /** The end of the agent of that host, which `Access` has let in. Once; `not-found` when the session is over. */
  serve(id: string): ShellSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new HpsError("not-found", `session ${id} is over`);
    session.serve();
    return session;
  }

  async get(id: string): Promise<SessionRow> {
    return await this.#records.get(id);
  }

  async list(query: SessionQuery): Promise<readonly SessionRow[]> {
    return await this.#records.list(query);
  }

  /** Call before serving: ends the sessions an earlier hpsd left open. How many it were. */
  async recover(): Promise<number> {
    const query = { clusters: "all", openOnly: true, limit: PAGE } as const;
    let count = 0;
    for (let rows = await this.list(query); rows.length > 0; rows = await this.list(query)) {
      for (const row of rows) {
        const recording = await digestOfRecording(this.#deps.folder, row.id, row.command);
        const ending = { code: null, signal: 0, reason: AFTER_CRASH, recording, traffic: {} };
        await this.#records.end(row, { actor: "hpsd", address: "" }, ending, recording.digest !== "");
      }
      count += rows.length;
    }
    return count;
  }

  /** Ends every session and waits, at most `graceMs`, until all is written and the operators have been told. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { message } = stoppingError();
    const ended = [...this.#sessions.values()].map(async (session) => {
      await session.end({ code: null, signal: 0, reason: message });
      await session.allGone;
    });
    await settlesWithin(Promise.all(ended), graceMs);
  }

  #going(id: string): ShellSession {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.state !== "ended") return session;
    throw new HpsError("precondition", `session ${id} is over`, { hint: "hpsctl session get shows how it ended" });
  }

  async #begin(caller: Caller, hostId: string, start: ShellStart, free: () => void): Promise<ShellSession> {
    const { clock, folder, recording: mode, room } = this.#deps;
    const known = { id: newUuid(), ...who(caller), reason: start.reason, startedAt: clock() };
    const host = await this.#records.hostOf(hostId);
    const recorder = await Recorder.create({ folder, mode, room }, { ...known, host: host.host }, start).catch(
      this.#reported,
    );
    const agentRun = this.#deps.presence.runOf(hostId) ?? "";
    const row = { ...known, ...host, hostId, command: start.command, agentRun, ...OPEN };
    try {
      await this.#records.begin(row, actorOfCaller(caller), recorder.complete);
    } catch (error) {
      await recorder.finish({ code: null, reason: "the session did not begin", traffic: {} });
      throw error;
    }
    const onEnd = async (session: ShellSession, ending: SessionEnding) => {
      await this.#ended(session, caller, ending);
      free();
    };
    const { holdMs } = this.#limits;
    const session = new ShellSession({ row, recorder, holdMs, onEnd });
    this.#sessions.set(row.id, session);
    return session;
  }

  async #awaitAgent(session: ShellSession, start: ShellStart): Promise<void> {
    const { row } = session;
    const { command, terminal, environment } = start;
    const window = { term: terminal?.term ?? "", rows: terminal?.rows ?? 0, columns: terminal?.columns ?? 0 };
    const value = { session: row.id, command: [...command], ...window, environment };
    const opened = Promise.all([this.#deps.presence.send(row.hostId, { case: "openShell", value }), session.served]);
    try {
      if (!(await settlesWithin(opened, this.#limits.serveMs))) throw notServed(row.host);
      await opened;
    } catch (error) {
      const reason = error instanceof HpsError ? error.message : "internal error";
      await session.end({ code: null, signal: 0, reason });
      throw error;
    }
  }

  async #ended(session: ShellSession, caller: Caller, ending: SessionEnding): Promise<void> {
    const { row, recorder } = session;
    try {
      if (!recorder.complete) this.#deps.onError(recorder.failure);
      await this.#records.end(row, actorOfCaller(caller), ending, recorder.complete);
    } catch (error) {
      // The next start ends the row: see recover.
      this.#deps.onError(error);
    } finally {
      this.#sessions.delete(row.id);
    }
  }

  readonly #reported = (error: unknown): never => {
    this.#deps.onError(error instanceof HpsError ? error.cause : error);
    throw error;
  };
}

const OPEN = { endedAt: null, exitCode: null, endReason: "", recordingBytes: 0, recordingDigest: "", recorded: true };

function who({ principal, address }: Caller): { readonly operator: string; readonly address: string } {
  return { operator: principal.kind === "operator" ? principal.name : "", address };
}

function stoppingError(): HpsError {
  return new HpsError("unavailable", "hpsd is stopping", { hint: "try again later" });
}

function notAttached(host: string): HpsError {
  return new HpsError("unavailable", `no agent of host ${host} is attached, so there is nothing to open a shell on`, {
    hint: "an agent attaches when the installer or the installed system has started",
    // For programs: this one passes.
    details: { attached: "no" },
  });
}

function notServed(host: string): HpsError {
  return new HpsError("deadline", `the agent of host ${host} is attached but did not open the shell in time`);
}
