import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseSignal, parseWindowSize, type WindowSize } from "../../../proto/values/terminal.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { AgentFeed } from "./agent-feed.ts";
import { Audience } from "./audience.ts";
import { Hold } from "./hold.ts";
import type { AgentInput, OperatorOutput, Seat, ShellInput, ShellOutput, ShownOutput } from "./participant.ts";
import { checkPiece, sizeOfPiece } from "./piece.ts";
import type { Recorder } from "./recorder.ts";
import type { FileDigest } from "./recording-file.ts";
import { type Outcome, operatorExit, outcomeOf } from "./session-outcome.ts";
import { type Joining, type SessionDoor, SessionParticipant } from "./session-participant.ts";
import type { ShellWish } from "./shell-policy.ts";
import { Traffic } from "./traffic.ts";
import { admitWriter, tellJoined, tellLeft } from "./who-writes.ts";

/** What is known of a session once it is over. */
export interface SessionEnding extends Outcome {
  readonly recording: FileDigest;
  readonly traffic: Readonly<Record<string, string>>;
}

/** Where a session stands: nobody takes part in a detached one. */
export type SessionState = "waiting" | "open" | "detached" | "ended";

export interface ShellSessionOptions {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  /** How long a terminal lives without participants. */
  readonly holdMs: number;
  readonly clock: () => number;
  /** Called once; must not throw. */
  readonly onEnd: (session: ShellSession, ending: SessionEnding) => Promise<void>;
}

/** One session while it is open, the hub between the agent's end, the recording and all who take part. */
export class ShellSession implements SessionDoor {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  readonly toAgent = new AgentFeed();
  readonly #options: ShellSessionOptions;
  readonly #audience: Audience;
  readonly #traffic: Traffic;
  readonly #served = Promise.withResolvers<void>();
  readonly #hold: Hold;
  #isServed = false;
  #typedAt: number;
  #inFlight = 0;
  #noticed = false;
  #ending: Promise<void> | undefined;

  constructor(options: ShellSessionOptions) {
    const { row, recorder, holdMs, clock } = options;
    this.#typedAt = clock();
    this.row = row;
    this.recorder = recorder;
    this.#options = options;
    this.#audience = new Audience(this);
    this.#traffic = new Traffic({ hashed: !this.isTerminal });
    this.#served.promise.catch(() => undefined);
    const reason = `nobody came back to it within ${holdMs / 60_000} min`;
    this.#hold = new Hold(holdMs, () => void this.end({ code: null, signal: 0, reason }));
  }

  get isTerminal(): boolean {
    return this.row.command.length === 0;
  }

  get state(): SessionState {
    if (this.#ending !== undefined) return "ended";
    if (!this.#isServed) return "waiting";
    return this.#audience.all.length === 0 ? "detached" : "open";
  }

  get participants(): readonly Seat[] {
    return this.#audience.all;
  }

  /** Bytes held here now, in both directions. */
  get bufferedBytes(): number {
    return this.toAgent.size + this.#audience.size + this.#inFlight;
  }

  /** When somebody last typed. */
  get typedAt(): number {
    return this.#typedAt;
  }

  /** That the session's time is nearly over. */
  notify(text: string): void {
    this.#audience.tell(SessionNoticeKind.LIMIT, text);
  }

  /** What a participant may do from now on; an error: nothing. */
  judged(participant: string, verdict: ShellWish | HpsError): void {
    const who = this.#audience.all.find(({ id }) => id === participant);
    if (verdict instanceof HpsError) who?.refuse(verdict);
    else if (who !== undefined) who.mayEnter = verdict === "enter";
  }

  /** Resolves when the agent is there; rejects when the session ends before. */
  get served(): Promise<void> {
    return this.#served.promise;
  }

  /** Resolves when everybody who takes part has been told all, or is gone. */
  get allGone(): Promise<void> {
    return this.#audience.allGone;
  }

  /** A new participant. An owner takes the place of the owner that is there. `not-found` when the session is over. */
  join(joining: Joining): SessionParticipant {
    if (this.#ending !== undefined) throw new HpsError("not-found", `session ${this.row.id} is over`);
    const older = joining.role === "owner" ? this.#audience.owner : undefined;
    if (older !== undefined) this.#detach(older, `${joining.operator} attached again from ${joining.address}`);
    const who = new SessionParticipant(this, joining);
    this.#audience.add(who);
    this.#hold.release();
    return who;
  }

  /** After `join`, for one that was not there from the beginning: how things stand. */
  async welcome(
    who: SessionParticipant,
    { write, window }: { readonly write: boolean; readonly window?: WindowSize },
  ): Promise<void> {
    tellJoined(this.#audience, who, write);
    if (window !== undefined) await this.#type(who, { case: "window", value: create(WindowSizeSchema, window) });
    who.redraw();
  }

  /** The agent is there: once. `precondition` for a second. */
  serve(): void {
    if (this.#isServed) throw new HpsError("precondition", `session ${this.row.id} is served already`);
    this.#isServed = true;
    this.#served.resolve();
    this.#watch();
  }

  /** Resolves when it is recorded and there is room for more. `invalid` for a piece that is too large. */
  async fromAgent(message: ShellOutput): Promise<void> {
    if (message.case === "exit") {
      await this.end(outcomeOf(message.value));
      return;
    }
    checkPiece(message.value, "output");
    await this.#counted(message, async () => await this.#show(message));
  }

  async receive(from: SessionParticipant, input: ShellInput): Promise<void> {
    if (!this.#audience.has(from)) return;
    switch (input.case) {
      case "detach":
        this.#detach(from, "");
        break;
      case "leave":
        if (from.role === "owner") void this.end({ code: null, signal: 0, reason: `${from.operator} left it` });
        else this.#detach(from, "");
        break;
      case "admit":
        admitWriter(this.#audience, from, input.value);
        break;
      default:
        await this.#type(from, input);
    }
  }

  left(who: SessionParticipant, reason: string): void {
    if (!this.#audience.remove(who)) return;
    const isLast = !this.isTerminal || !this.#isServed;
    if (who.role === "owner" && isLast) void this.end({ code: null, signal: 0, reason });
    if (this.#ending !== undefined) return;
    tellLeft(this.#audience, who, reason);
    this.#watch();
  }

  refused(who: SessionParticipant, error: HpsError): void {
    if (who.role !== "owner" || !this.#audience.has(who)) return;
    void this.end({ code: null, signal: 0, reason: error.message });
  }

  taken(): void {
    this.#audience.change();
  }

  screen(): Promise<readonly OperatorOutput[]> | undefined {
    return undefined;
  }

  /** The first end counts. Resolves when recording, row and audit are written; all who take part are told after that. */
  end(outcome: Outcome): Promise<void> {
    this.#ending ??= this.#finish(outcome);
    return this.#ending;
  }

  async #finish(outcome: Outcome): Promise<void> {
    this.#hold.release();
    // The agent's stream ends with its queue, and the agent ends what it runs.
    void this.toAgent.return();
    this.#served.reject(new HpsError("unavailable", outcome.reason || "the session has ended"));
    const traffic = this.#traffic.summary();
    const recording = await this.recorder.finish({ code: outcome.code, reason: outcome.reason, traffic });
    const reason = outcome.reason || (this.recorder.refusal?.message ?? "");
    await this.#options.onEnd(this, { ...outcome, reason, recording, traffic });
    this.#notice();
    this.#audience.finish({ case: "exit", value: operatorExit({ ...outcome, reason }) });
  }

  /** Keys and what else goes to the program, from whoever may write. */
  async #type(from: SessionParticipant, input: AgentInput): Promise<void> {
    if (input.case === "input") checkPiece(input.value, "input");
    if (input.case === "signal") parseSignal(input.value);
    const window = input.case === "window" ? parseWindowSize(input.value) : undefined;
    if (!from.mayWrite) {
      if (input.case === "input" || input.case === "signal") from.tellReadOnly();
      return;
    }
    if (input.case === "input") {
      this.#typedAt = this.#options.clock();
      this.#traffic.count("input", input.value);
      await this.recorder.input(input.value);
    }
    if (window !== undefined) await this.recorder.resize(window);
    await this.#counted(input, async () => await this.toAgent.put(input));
  }

  #detach(who: SessionParticipant, reason: string): void {
    if (who.role === "owner" && !this.isTerminal) {
      throw new HpsError("invalid", "a command ends with its operator: only a terminal can be left running", {
        hint: "start the command in a terminal's session, and detach that",
      });
    }
    who.finish({ case: "detached", value: { reason, hold: durationFromMs(this.#options.holdMs), comeBack: false } });
    this.#audience.remove(who);
    if (reason === "") tellLeft(this.#audience, who, "detached");
    this.#watch();
  }

  /** Whether somebody takes part: without anybody the session has its time. */
  #watch(): void {
    if (this.state === "detached" && this.isTerminal) this.#hold.begin();
  }

  /** Nobody is shown what is not recorded first. */
  async #show(output: ShownOutput): Promise<void> {
    if (this.#ending !== undefined) return;
    const shown = this.isTerminal ? { case: "output" as const, value: output.value } : output;
    this.#traffic.count(shown.case, shown.value);
    try {
      await this.recorder.output(shown.case, shown.value);
    } catch (error) {
      await this.end({ code: null, signal: 0, reason: error instanceof HpsError ? error.message : "recording failed" });
      return;
    }
    if (this.isTerminal) this.toAgent.recorded(this.recorder.outputBytes);
    this.#notice();
    await this.#audience.show(shown);
  }

  /** Under best-effort, once, as soon as something is shown that is not recorded. */
  #notice(): void {
    if (this.#noticed || this.recorder.complete || this.recorder.refusal !== undefined) return;
    this.#noticed = true;
    const text = this.isTerminal ? "\r\n*** NOT RECORDED ***\r\n" : "*** NOT RECORDED ***\n";
    this.#audience.push({ case: this.isTerminal ? "output" : "errorOutput", value: Buffer.from(text) });
  }

  async #counted(message: AgentInput | ShellOutput, step: () => Promise<unknown>): Promise<void> {
    const size = sizeOfPiece(message);
    this.#inFlight += size;
    try {
      await step();
    } finally {
      this.#inFlight -= size;
    }
  }
}
