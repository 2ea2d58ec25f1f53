import { constants } from "node:os";
import { create } from "@bufbuild/protobuf";
import { type ResumeShell, WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { type AgentLink, AgentLinks, type LinkedSession } from "./agent-links.ts";
import type { AgentInput, OperatorOutput, Seat, ShellOutput } from "./participant.ts";
import { People, type PeoplesSession } from "./people.ts";
import { checkPiece, sizeOfPiece } from "./piece.ts";
import type { Recorder } from "./recorder.ts";
import type { FileDigest } from "./recording-file.ts";
import { SessionInput } from "./session-input.ts";
import { type Outcome, operatorExit, outcomeOf } from "./session-outcome.ts";
import type { Joining, SessionParticipant } from "./session-participant.ts";
import type { SessionScreen } from "./session-screen.ts";
import type { ShellWish } from "./shell-policy.ts";
import { Traffic } from "./traffic.ts";
import { tellJoined } from "./who-writes.ts";

/** What is known of a session once it is over. */
export interface SessionEnding extends Outcome {
  readonly recording: FileDigest;
  readonly traffic: Readonly<Record<string, string>>;
}

/** Where a session stands: nobody takes part in a detached one, and of a lost one the host's agent is out of reach. */
export type SessionState = "waiting" | "open" | "detached" | "host-lost" | "ended";

export interface ShellSessionOptions {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  /** Of a terminal. */
  readonly screen?: SessionScreen;
  /** How long a terminal lives without participants. */
  readonly holdMs: number;
  /** How long it lives without its agent. */
  readonly lostMs: number;
  readonly clock: () => number;
  /** It was begun under an earlier hpsd, and waits for its agent. */
  readonly restored?: boolean;
  /** Called once; must not throw. */
  readonly onEnd: (session: ShellSession, ending: SessionEnding) => Promise<void>;
}

/** One session while it is open, the hub between the agent's streams, the recording and all who take part. */
export class ShellSession implements PeoplesSession, LinkedSession {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  readonly #options: ShellSessionOptions;
  readonly #people: People;
  readonly #links: AgentLinks;
  readonly #input: SessionInput;
  readonly #traffic: Traffic;
  readonly #served = Promise.withResolvers<void>();
  #inFlight = 0;
  #noticed = false;
  #ending: Promise<void> | undefined;

  constructor(options: ShellSessionOptions) {
    const { row, recorder, holdMs, lostMs, clock, restored = false } = options;
    this.row = row;
    this.recorder = recorder;
    this.#options = options;
    this.#traffic = new Traffic({ hashed: !this.isTerminal });
    this.#traffic.began("output", recorder.outputBytes);
    this.#served.promise.catch(() => undefined);
    this.#people = new People(this, holdMs);
    const goneReason = `the agent of host ${row.host} was out of reach for ${lostMs / 60_000} min`;
    this.#links = new AgentLinks({ session: this, lostMs, goneReason, restored });
    const { isTerminal } = this;
    const { audience } = this.#people;
    const parts = { isTerminal, audience, recorder, traffic: this.#traffic, feed: this.#links.feed, clock };
    this.#input = new SessionInput({ ...parts, screen: options.screen });
    this.#people.watch();
  }

  get isTerminal(): boolean {
    return this.row.command.length === 0;
  }

  get goesOn(): boolean {
    return this.isTerminal && this.#links.wasServed;
  }

  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  get state(): SessionState {
    if (this.isOver) return "ended";
    if (!this.#links.wasServed) return "waiting";
    if (this.#links.isLost) return "host-lost";
    return this.participants.length === 0 ? "detached" : "open";
  }

  /** How long it goes on without anybody; undefined of a command, which does not. */
  get holdMs(): number | undefined {
    return this.isTerminal ? this.#options.holdMs : undefined;
  }

  /** Of a terminal, where it is known. */
  get window(): WindowSize | undefined {
    return this.#options.screen?.size;
  }

  get participants(): readonly Seat[] {
    return this.#people.audience.all;
  }

  get outputBytes(): number {
    return this.recorder.outputBytes + this.recorder.missingBytes;
  }

  /** Bytes held here now, in both directions. */
  get bufferedBytes(): number {
    return this.#links.feed.size + this.#people.audience.size + this.#inFlight + this.#input.size;
  }

  /** When somebody last typed. */
  get typedAt(): number {
    return this.#input.typedAt;
  }

  /** That the session's time is nearly over. */
  notify(text: string): void {
    this.#people.tell(SessionNoticeKind.LIMIT, text);
  }

  /** What a participant may do from now on; an error: nothing. */
  judged(participant: string, verdict: ShellWish | HpsError): void {
    const who = this.#people.audience.all.find(({ id }) => id === participant);
    if (verdict instanceof HpsError) who?.refuse(verdict);
    else if (who !== undefined) who.mayEnter = verdict === "enter";
  }

  /** Resolves when the agent is there; rejects when the session ends before. */
  get served(): Promise<void> {
    return this.#served.promise;
  }

  /** Resolves when everybody who takes part has been told all, or is gone. */
  get allGone(): Promise<void> {
    return this.#people.audience.allGone;
  }

  join(joining: Joining): SessionParticipant {
    const who = this.#people.join(joining);
    if (this.recorder.recordsInput) {
      const what = this.isTerminal ? "what is typed in this session, passwords as well," : "the command's input";
      who.tell(SessionNoticeKind.INPUT_RECORDED, `${what} is recorded too`);
    }
    return who;
  }

  /** After `join`, for one that was not there from the beginning: how things stand. */
  async welcome(who: SessionParticipant, wish: Welcome): Promise<void> {
    const { write, window } = wish;
    tellJoined(this.#people.audience, who, write);
    if (this.#noticed) who.tell(SessionNoticeKind.NOT_RECORDED, "NOT RECORDED: the recording of this session failed");
    if (this.state === "host-lost") who.tell(SessionNoticeKind.HOST_LOST, this.#lostText());
    if (window !== undefined) await this.type(who, { case: "window", value: create(WindowSizeSchema, window) });
    who.redraw();
    // A full-screen program then draws all that a screen cannot hold.
    if (this.isTerminal && who.mayWrite)
      await this.#links.feed.put({ case: "signal", value: constants.signals.SIGWINCH });
  }

  /** The agent is there, with its first stream. `precondition` for a second. */
  serve(): AgentLink {
    const link = this.#links.first();
    this.#served.resolve();
    this.#people.watch();
    return link;
  }

  /** The agent goes on, on a new stream. */
  async resume(asked: ResumeShell): Promise<AgentLink> {
    return await this.#links.resume(asked);
  }

  async record(output: ShellOutput): Promise<void> {
    if (output.case === "exit" || this.isOver) return;
    checkPiece(output.value, "output");
    const kind = this.isTerminal ? "output" : output.case;
    this.#traffic.count(kind, output.value);
    try {
      await this.#counted(output, async () => await this.recorder.output(kind, output.value));
      if (this.isTerminal) this.#links.feed.recorded(this.outputBytes);
    } catch (error) {
      await this.end({ code: null, signal: 0, reason: error instanceof HpsError ? error.message : "recording failed" });
    }
  }

  async show(output: ShellOutput): Promise<void> {
    if (output.case === "exit") {
      await this.#people.after(async () => await this.end(outcomeOf(output.value)));
      return;
    }
    if (this.isOver) return;
    const { value } = output;
    this.#notice();
    const shown = { case: this.isTerminal ? "output" : output.case, value };
    await this.#counted(output, async () => await this.#people.show(shown));
  }

  linkLost(): void {
    this.#mark("the host is out of reach");
    this.#people.tell(SessionNoticeKind.HOST_LOST, this.#lostText());
  }

  async linkBack(missing: number): Promise<void> {
    if (missing > 0) {
      // A recording that fails shows when output comes.
      await this.recorder.gap(missing).catch(() => undefined);
      this.#people.tell(SessionNoticeKind.GAP, `${missing} bytes of output were lost, for the recording too`);
    }
    this.#mark("the host is back");
    this.#people.tell(SessionNoticeKind.HOST_BACK, `host ${this.row.host} is back`);
    // It may have changed meanwhile.
    const { window } = this.#input;
    if (window === undefined) return;
    await this.#links.feed.put({ case: "window", value: create(WindowSizeSchema, window) });
  }

  linkGone(reason: string): void {
    this.endBecause(reason);
  }

  endBecause(reason: string): void {
    void this.end({ code: null, signal: 0, reason });
  }

  /** The first end counts. Resolves when recording, row and audit are written; all who take part are told after that. */
  end(outcome: Outcome): Promise<void> {
    this.#ending ??= this.#finish(outcome);
    return this.#ending;
  }

  /** This hpsd stops and the session does not: all are sent away, and come back to the next. Resolves when all is written. */
  async suspend(reason: HpsError): Promise<void> {
    if (this.#ending !== undefined) return await this.#ending;
    this.#links.cut(reason);
    this.#ending = this.recorder.suspend();
    await this.#ending;
    this.#people.sendAway(reason.message);
  }

  async type(from: SessionParticipant, input: AgentInput): Promise<void> {
    await this.#input.take(from, input);
  }

  screenAt(bytes: number): Promise<readonly OperatorOutput[]> | undefined {
    return this.#options.screen?.at(bytes);
  }

  async #finish(outcome: Outcome): Promise<void> {
    this.#links.close();
    this.#served.reject(new HpsError("unavailable", outcome.reason || "the session has ended"));
    const traffic = this.#traffic.summary();
    const recording = await this.recorder.finish({ code: outcome.code, reason: outcome.reason, traffic });
    const reason = outcome.reason || (this.recorder.refusal?.message ?? "");
    await this.#options.onEnd(this, { ...outcome, reason, recording, traffic });
    this.#notice();
    this.#people.finish({ case: "exit", value: operatorExit({ ...outcome, reason }) });
  }

  #lostText(): string {
    return `host ${this.row.host} is out of reach; the session waits for it, at most ${this.#options.lostMs / 60_000} min`;
  }

  /** A recording that fails shows when output comes. */
  #mark(label: string): void {
    this.recorder.mark(label).catch(() => undefined);
  }

  /** Under best-effort, once, as soon as something is shown that is not recorded. */
  #notice(): void {
    if (this.#noticed || this.recorder.complete || this.recorder.refusal !== undefined) return;
    this.#noticed = true;
    const text = this.isTerminal ? "\r\n*** NOT RECORDED ***\r\n" : "*** NOT RECORDED ***\n";
    this.#people.audience.push({ case: this.isTerminal ? "output" : "errorOutput", value: Buffer.from(text) });
  }

  async #counted(message: ShellOutput, step: () => Promise<unknown>): Promise<void> {
    const size = sizeOfPiece(message);
    this.#inFlight += size;
    try {
      await step();
    } finally {
      this.#inFlight -= size;
    }
  }
}

interface Welcome {
  readonly write: boolean;
  /** Of one that writes: becomes the terminal's size. */
  readonly window?: WindowSize;
}
