import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import type { WebSocket } from "ws";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { WindowSizeSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { AdmitWriterSchema, DetachSessionSchema, LeaveSessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { OperatorOutput, Participant, Seat, ShellInput } from "../core/shells/participant.ts";
import { type HttpIncident, incidentOf } from "./error-answer.ts";
import type { Standing } from "./web/messages.ts";
import { type PageInput, WebLine } from "./web-line.ts";
import type { WebGrant } from "./web-tickets.ts";

export interface TerminalLimits {
  /** For the page to say its size. */
  readonly startMs: number;
  /** Between two pings. */
  readonly pingMs: number;
  /** A browser that is not heard for so long is gone. */
  readonly silentMs: number;
  /** For the page to read the end. */
  readonly lingerMs: number;
}

export const TERMINAL_LIMITS: TerminalLimits = { startMs: 10_000, pingMs: 15_000, silentMs: 45_000, lingerMs: 30_000 };

export interface TerminalParts {
  /** Takes part in the session that was granted. */
  readonly enter: (grant: WebGrant, window: WindowSize, signal: AbortSignal) => Promise<Participant>;
  /** What goes on in a session; undefined when it is over. */
  readonly live: (session: string) => Live | undefined;
  readonly onError: (incident: HttpIncident) => void;
  readonly limits: TerminalLimits;
}

interface Live {
  readonly state: string;
  readonly participants: readonly Seat[];
  readonly recorder: { readonly complete: boolean };
  readonly window?: WindowSize | undefined;
}

const GONE = "the browser went away";

/** One WebSocket from its upgrade to its end: between a page and a session's participant. */
export class WebTerminal {
  readonly #socket: WebSocket;
  readonly #line: WebLine;
  readonly #parts: TerminalParts;
  readonly #gone = new AbortController();
  #participant: Participant | undefined;
  #heardAt = performance.now();
  /** As the page was told last. */
  #told: Standing | undefined;

  constructor(socket: WebSocket, parts: TerminalParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#line = new WebLine(socket);
    this.#line.onBreach((error) => this.stop(error));
    const heard = () => {
      this.#heardAt = performance.now();
    };
    socket.on("message", heard).on("pong", heard);
    socket.on("error", () => socket.terminate());
    socket.on("close", () => this.#leave(GONE));
  }

  /** Resolves when it is over, however. */
  async run(grant: WebGrant): Promise<void> {
    const watching = setInterval(() => this.#watch(), this.#parts.limits.pingMs);
    try {
      const participant = await this.#parts.enter(grant, await this.#firstSize(), this.#gone.signal);
      this.#participant = participant;
      if (this.#gone.signal.aborted) return;
      this.#introduce(participant);
      this.#tellStanding(participant, grant);
      void this.#feed(participant, grant);
      for await (const output of participant.output) {
        if (!(await this.#pass(output, participant, grant))) break;
      }
      await this.#linger();
    } catch (error) {
      this.stop(this.#said(error));
    } finally {
      this.#leave("");
      clearInterval(watching);
    }
  }

  /** Ends it now and tells the page why. The first end counts. */
  stop(error: HpsError): void {
    if (this.#gone.signal.aborted) return;
    const { code, message, hint } = error;
    this.#line.tell({ type: "error", code, message, hint });
    // What only this hpsd cannot go on with is no fault of the operator: the session is held for who comes back.
    if (code !== "unavailable") {
      this.#participant?.refuse(new HpsError(code, `the operator's web terminal was ended: ${message}`));
    }
    this.#leave(message);
  }

  async #firstSize(): Promise<WindowSize> {
    if (!(await settlesWithin(this.#line.started, this.#parts.limits.startMs))) {
      throw new HpsError("deadline", "the page did not say its size in time");
    }
    return await this.#line.started;
  }

  #introduce({ session }: Participant): void {
    const { id, cluster, host, operator } = session;
    this.#line.tell({ type: "session", id, cluster, host, operator });
  }

  #tellStanding(participant: Participant, grant: WebGrant): void {
    const live = this.#parts.live(participant.session.id);
    // Approved, and not begun yet.
    if (live === undefined && this.#told?.state === "waiting") return;
    this.#told = standingOf(live, participant, grant);
    this.#line.tell({ type: "standing", ...this.#told });
  }

  /** What nobody is told of by a notice: an approved session has begun, its terminal has another size, its recording failed. */
  #hasChanged({ session }: Participant): boolean {
    const live = this.#parts.live(session.id);
    const told = this.#told;
    if (live === undefined || told === undefined) return false;
    const { rows, columns } = live.window ?? {};
    const isSameSize = told.size?.rows === rows && told.size?.columns === columns;
    return !isSameSize || told.state !== live.state || told.recorded !== live.recorder.complete;
  }

  async #feed(participant: Participant, grant: WebGrant): Promise<void> {
    try {
      for await (const input of this.#line.input()) {
        if (input.case === "input" && !mayType(grant)) throw new HpsError("denied", "this link only watches");
        await participant.send(inputFor(input));
      }
    } catch (error) {
      this.stop(this.#said(error));
    }
  }

  /** False when the page is gone, or this was the last. */
  async #pass(output: OperatorOutput, participant: Participant, grant: WebGrant): Promise<boolean> {
    switch (output.case) {
      case "output":
      case "errorOutput":
        if (this.#hasChanged(participant)) this.#tellStanding(participant, grant);
        return await this.#line.write(output.value);
      case "notice":
        this.#line.tell({ type: "notice", text: output.value.text });
        this.#tellStanding(participant, grant);
        return true;
      case "exit": {
        const { code, signal, reason } = output.value;
        this.#line.tell({ type: "exit", code, signal, reason });
        return false;
      }
      case "detached": {
        const { reason = "", comeBack = false } = output.value;
        this.#line.tell({ type: "detached", text: reason, comeBack });
        return false;
      }
    }
  }

  /** The page closes when it has shown the end; one that does not is not waited for. */
  async #linger(): Promise<void> {
    if (this.#gone.signal.aborted) return;
    await settlesWithin(once(this.#socket, "close"), this.#parts.limits.lingerMs);
  }

  #watch(): void {
    if (performance.now() - this.#heardAt > this.#parts.limits.silentMs) this.#socket.terminate();
    else this.#socket.ping();
  }

  #leave(reason: string): void {
    if (!this.#gone.signal.aborted) {
      this.#gone.abort(new HpsError("cancelled", reason));
      this.#line.close();
      this.#socket.close(1000);
    }
    this.#participant?.leave(reason);
  }

  #said(error: unknown): HpsError {
    return error instanceof HpsError ? error : incidentOf("web terminal", error, this.#parts.onError);
  }
}

/** Whoever began the session owns it. One that waits for approval has another id than its seat will have. */
function standingOf(live: Live | undefined, { id, session }: Participant, grant: WebGrant): Standing {
  const { state = "ended", participants = [], window } = live ?? {};
  const begins = grant.wish.kind === "open";
  const seat =
    participants.find((each) => each.id === id) ?? participants.find(({ role }) => begins && role === "owner");
  const people = participants.map(({ id: seatId, operator, role, address }) => ({
    id: seatId,
    operator,
    role,
    address,
  }));
  const types = begins || (seat !== undefined && seat.role !== "watcher");
  const recorded = live?.recorder.complete ?? session.recorded;
  const size = window && { size: { rows: window.rows, columns: window.columns } };
  return { state, people, self: seat?.id ?? "", mayType: types && mayType(grant), recorded, ...size };
}

/** A link that only watches does so for good, whatever the session's owner allows who else watches. */
function mayType({ link, wish }: WebGrant): boolean {
  return link === undefined || wish.kind === "open";
}

function inputFor(input: PageInput): ShellInput {
  if (input.case === "input") return input;
  if (input.case === "window") return { case: "window", value: create(WindowSizeSchema, input.value) };
  const order = input.value;
  if (order.type === "detach") return { case: "detach", value: create(DetachSessionSchema) };
  if (order.type === "end") return { case: "leave", value: create(LeaveSessionSchema) };
  return { case: "admit", value: create(AdmitWriterSchema, order) };
}
