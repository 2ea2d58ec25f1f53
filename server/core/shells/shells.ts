import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import type { OpenShellSchema, ResumeShell } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseReason } from "../../../proto/values/shell-command.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { SessionQuery, SessionRow } from "../../store/sessions.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { LiveCalls } from "../identity/live-calls.ts";
import type { Caller } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { AgentLink } from "./agent-links.ts";
import { Approvals, type Review } from "./approvals.ts";
import { type AttachedRun, type HoldLimits, OpenSessions } from "./open-sessions.ts";
import type { Participant } from "./participant.ts";
import type { Recorder } from "./recorder.ts";
import type { RecordingMode } from "./recording.ts";
import type { RecordingRoom } from "./recording-room.ts";
import { SessionKeeper } from "./session-keeper.ts";
import { SessionRecords, type SessionRecordsDeps } from "./session-records.ts";
import { type Asked, openRow, who } from "./session-row.ts";
import type { ShellAdmission } from "./shell-admission.ts";
import { notAttached, notGoing, notServed, stoppingError } from "./shell-errors.ts";
import type { ShellSession } from "./shell-session.ts";
import type { ShellStart } from "./shell-start.ts";

/** What sessions need of Presence. */
interface ShellPresence {
  isAttached(hostId: string): boolean;
  /** Run of the agent that attached last; undefined when none is attached. */
  runOf(hostId: string): string | undefined;
  /** Calls back whenever an agent attaches. */
  onAttach(listener: (agent: AttachedRun) => void): void;
  /** Calls back whenever an agent is attached no more. */
  onDetach(listener: (agent: AttachedRun) => void): void;
  /** Resolves when the agent has done it. */
  send(
    hostId: string,
    command: { readonly case: "openShell"; readonly value: MessageInitShape<typeof OpenShellSchema> },
  ): Promise<void>;
}

export interface ShellLimits extends HoldLimits {
  readonly perHost: number;
  readonly inAll: number;
  /** For the agent to open its end. */
  readonly serveMs: number;
  /** How long an operator waits for another one's approval. */
  readonly approvalMs: number;
}

export interface AttachWish {
  readonly write: boolean;
  /** Of one that writes: becomes the terminal's size. */
  readonly window?: WindowSize;
}

/** What became of the sessions that an earlier hpsd left open. */
interface Recovered {
  readonly waiting: number;
  readonly ended: number;
}

/** A session that goes on, as it is shown. */
export interface LiveSession extends Pick<ShellSession, "state" | "participants"> {
  readonly recorder: Pick<Recorder, "complete" | "recordsInput">;
  readonly window?: WindowSize | undefined;
  /** How long a terminal goes on without anybody; of a command undefined. */
  readonly holdMs?: number | undefined;
}

export interface ShellsDeps extends SessionRecordsDeps {
  readonly presence: ShellPresence;
  /** Where recordings lie; made when it is not there. */
  readonly folder: string;
  readonly recording: RecordingMode;
  /** Without it recordings have no quota. */
  readonly room?: RecordingRoom;
  /** Who may. */
  readonly admission: Pick<ShellAdmission, "open" | "join">;
  readonly refusals: RecordsRefusals;
  /** Whose certificates open nothing any more. */
  readonly live: Pick<LiveCalls, "onCertificatesEnded">;
  /** For the log: a recording or a row that could not be written. Must not throw. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<ShellLimits>;
}

const LIMITS: ShellLimits = {
  perHost: 16,
  inAll: 1000,
  serveMs: 10_000,
  holdMs: 600_000,
  lostMs: 300_000,
  approvalMs: 600_000,
};
const GONE = "the operator went away";
const AFTER_CRASH = "hpsd ended before the session did";
const PAGE = 100;

/** The shell sessions of this hpsd: each from an operator's call to an agent's stream, recorded on the way. */
export class Shells {
  readonly #deps: ShellsDeps;
  readonly #limits: ShellLimits;
  readonly #records: SessionRecords;
  readonly #approvals: Approvals;
  readonly #keeper: SessionKeeper;
  readonly #sessions: OpenSessions;
  #stopping = false;

  constructor(deps: ShellsDeps) {
    this.#deps = deps;
    this.#limits = { ...LIMITS, ...deps.limits };
    this.#records = new SessionRecords(deps);
    this.#approvals = new Approvals({ ...deps, records: this.#records, waitMs: this.#limits.approvalMs });
    this.#keeper = new SessionKeeper(deps);
    const onOver = (session: ShellSession) => this.#keeper.over(session);
    this.#sessions = new OpenSessions({ ...deps, records: this.#records, onOver }, this.#limits);
    deps.presence.onAttach((agent) => this.#sessions.agentAttached(agent));
    deps.presence.onDetach((agent) => this.#sessions.agentDetached(agent));
  }

  /** Bytes held now, by session. */
  get bufferedBytes(): ReadonlyMap<string, number> {
    return new Map(this.#sessions.all.map(({ row, bufferedBytes }) => [row.id, bufferedBytes]));
  }

  /**
   * A session on a host the caller sees: recorded, audited, served by the host's agent, when the caller may enter and, where
   * its cluster wants that, another operator has approved it. `signal` is the operator's call. Errors: `denied`,
   * `precondition`, `unavailable` when no agent is attached or nothing can be recorded, `exhausted`, `deadline`.
   */
  async open(caller: Caller, hostId: string, start: ShellStart, signal: AbortSignal): Promise<Participant> {
    if (this.#stopping) throw stoppingError();
    const { admission, presence } = this.#deps;
    const { kind, terms } = await admission.open(caller, hostId, start);
    const asked: Asked = { id: newUuid(), caller, hostId, start, terms };
    const row = await this.#rowOf(asked, "");
    if (!presence.isAttached(hostId)) throw notAttached(row.host);
    if (kind === "allowed") return await this.#open(asked, row, signal);
    return await this.#approvals.ask(caller, { ...row, agentRun: "" }, async (approver) => {
      // What was asked of the operator then is asked again: it waited for some time.
      await admission.open(caller, hostId, start);
      if (!presence.isAttached(hostId)) throw notAttached(row.host);
      return await this.#open(asked, await this.#rowOf(asked, approver), signal);
    });
  }

  async #open(asked: Asked, row: SessionRow, signal: AbortSignal): Promise<Participant> {
    const { caller, start } = asked;
    const session = await this.#sessions.begin(asked, row);
    const owner = session.join({ ...who(caller), role: "owner", joinedAt: this.#deps.clock(), mayEnter: true });
    this.#keeper.begun(session, caller);
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
   * Takes part in a session the caller sees: as its owner when the caller began it and wants to write, as a watcher else.
   * `denied` without the right to it, `precondition` when it is over.
   */
  async attach(caller: Caller, id: string, wish: AttachWish, signal: AbortSignal): Promise<Participant> {
    if (this.#stopping) throw stoppingError();
    const session = this.#going(id);
    const { operator, address } = who(caller);
    const mayEnter = await this.#deps.admission.join(caller, session.row, wish.write ? "enter" : "watch");
    const role = wish.write && operator === session.row.operator ? "owner" : "watcher";
    await this.#records.touched(session.row, actorOfCaller(caller), { reason: "", details: { role } });
    const participant = session.join({ operator, address, role, joinedAt: this.#deps.clock(), mayEnter });
    this.#keeper.joined(session, role === "owner" ? caller : undefined);
    try {
      await session.welcome(participant, wish);
    } catch (error) {
      participant.leave(GONE);
      throw error;
    }
    if (signal.aborted) participant.leave(GONE);
    return participant;
  }

  /** Another operator's word on a session that waits for it. `denied` to its own, `precondition` when it does not wait. */
  async review(caller: Caller, id: string, { denied, reason }: Review): Promise<SessionRow> {
    await this.#approvals.review(caller, id, { denied, reason: parseReason(reason) });
    return await this.get(id);
  }

  /** Ends a session for everybody. `precondition` when it is over. */
  async kill(caller: Caller, id: string, reason: string): Promise<SessionRow> {
    const why = parseReason(reason);
    const session = this.#going(id);
    await this.#records.touched(session.row, actorOfCaller(caller), { reason: why, details: {} });
    const by = `${who(caller).operator} ended it`;
    await session.end({ code: null, signal: 0, reason: why === "" ? by : `${by}: ${why}` });
    return await this.get(id);
  }

  /** What is known of a session that goes on, beside its row; undefined when it is over. */
  live(id: string): LiveSession | undefined {
    const waiting = () => (this.#approvals.has(id) ? { ...WAITING, holdMs: this.#limits.holdMs } : undefined);
    return this.#sessions.get(id) ?? waiting();
  }

  /** The first stream of the host's agent, which `Access` has let in. Once; `not-found` when the session is over. */
  serve(id: string): AgentLink {
    return this.#served(id).serve();
  }

  /** A stream of the agent that goes on where another was lost. `not-found` when the session is over. */
  async resume(asked: ResumeShell): Promise<AgentLink> {
    return await this.#served(asked.session).resume(asked);
  }

  async get(id: string): Promise<SessionRow> {
    return await this.#records.get(id);
  }

  async list(query: SessionQuery): Promise<readonly SessionRow[]> {
    return await this.#records.list(query);
  }

  /** Call before serving: of the sessions an earlier hpsd left open terminals wait for their agents, the rest is ended. */
  async recover(): Promise<Recovered> {
    const query = { clusters: "all", openOnly: true, limit: PAGE } as const;
    const recovered = { waiting: 0, ended: 0 };
    let rows = await this.list(query);
    for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
      for (const row of rows) {
        // One that waited for its approval is on no agent.
        const waits = row.command.length === 0 && row.agentRun !== "" && (await this.#restored(row));
        if (!waits) await this.#sessions.endLeft(row, AFTER_CRASH);
        recovered[waits ? "waiting" : "ended"] += 1;
      }
      rows = await this.list({ ...query, before: last });
    }
    return recovered;
  }

  /**
   * Ends what cannot outlive this hpsd, sends the operators of terminals away until the next, and waits, at most `graceMs`,
   * until all is written and they have been told.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const stopping = stoppingError();
    const ended = this.#sessions.all.map(async (session) => {
      if (session.goesOn) await session.suspend(stopping);
      else await session.end({ code: null, signal: 0, reason: stopping.message });
      await session.allGone;
    });
    await settlesWithin(Promise.all([...ended, this.#approvals.stop(stopping.message)]), graceMs);
  }

  async #restored(row: SessionRow): Promise<boolean> {
    try {
      this.#keeper.begun(await this.#sessions.restore(row), undefined);
      return true;
    } catch (error) {
      this.#deps.onError(error);
      return false;
    }
  }

  #served(id: string): ShellSession {
    // Not as one that is over: an agent then ends what runs.
    if (this.#stopping) throw stoppingError();
    const session = this.#sessions.get(id);
    if (session !== undefined && !session.isOver) return session;
    throw new HpsError("not-found", `session ${id} is over`);
  }

  #going(id: string): ShellSession {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.state !== "ended") return session;
    throw notGoing(id, this.#approvals.has(id));
  }

  async #rowOf(asked: Asked, approver: string): Promise<SessionRow> {
    const { clock, presence } = this.#deps;
    const host = await this.#records.hostOf(asked.hostId);
    return openRow(asked, { host, agentRun: presence.runOf(asked.hostId) ?? "", startedAt: clock(), approver });
  }

  async #awaitAgent(session: ShellSession, start: ShellStart): Promise<void> {
    const { row } = session;
    const { command, terminal, environment } = start;
    const window = { term: terminal?.term ?? "", rows: terminal?.rows ?? 0, columns: terminal?.columns ?? 0 };
    const hold = durationFromMs(this.#limits.lostMs);
    const value = { session: row.id, command: [...command], ...window, environment, hold };
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
}

const WAITING: LiveSession = { state: "waiting", participants: [], recorder: { complete: true, recordsInput: false } };
