import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import { Audience } from "./audience.ts";
import { Hold } from "./hold.ts";
import type { AgentInput, LastOutput, OperatorOutput, ShellInput, ShownOutput } from "./participant.ts";
import type { Recorder } from "./recorder.ts";
import { type Joining, type SessionDoor, SessionParticipant } from "./session-participant.ts";
import { admitWriter, tellLeft } from "./who-writes.ts";

/** What people need of their session. */
export interface PeoplesSession {
  readonly row: SessionRow;
  readonly isTerminal: boolean;
  /** It goes on without anybody: a terminal whose program runs. */
  readonly goesOn: boolean;
  readonly isOver: boolean;
  readonly recorder: Pick<Recorder, "outputBytes">;
  /** Keys and what else goes to the program. */
  type(from: SessionParticipant, input: AgentInput): Promise<void>;
  /** How it stands behind so many bytes of output; undefined when it has no screen. */
  screenAt(bytes: number): Promise<readonly OperatorOutput[]> | undefined;
  endBecause(reason: string): void;
}

/** Everybody who takes part in a session: how they come, act and go. */
export class People implements SessionDoor {
  readonly audience: Audience;
  readonly #session: PeoplesSession;
  readonly #holdMs: number;
  readonly #hold: Hold;
  readonly #shows = new OneAtATime();

  /** `holdMs`: how long a terminal lives without any. */
  constructor(session: PeoplesSession, holdMs: number) {
    this.#session = session;
    this.#holdMs = holdMs;
    this.audience = new Audience({ isTerminal: session.isTerminal, shown: session.recorder.outputBytes });
    this.#hold = new Hold(holdMs, () => session.endBecause(`nobody came back to it within ${holdMs / 60_000} min`));
  }

  get row(): SessionRow {
    return this.#session.row;
  }

  /** A new participant. An owner takes the place of the owner that is there. `not-found` when the session is over. */
  join(joining: Joining): SessionParticipant {
    if (this.#session.isOver) throw new HpsError("not-found", `session ${this.row.id} is over`);
    const older = joining.role === "owner" ? this.audience.owner : undefined;
    if (older !== undefined) this.#detach(older, `${joining.operator} attached again from ${joining.address}`);
    const who = new SessionParticipant(this, joining);
    this.audience.add(who);
    this.#hold.release();
    return who;
  }

  /** Call when the program has begun to run: without anybody it has its time. */
  watch(): void {
    if (this.#session.goesOn && this.audience.all.length === 0) this.#hold.begin();
  }

  /** In order; resolves when those who pace it have it. */
  async show(output: ShownOutput): Promise<void> {
    await this.#shows.run(async () => await this.audience.show(output));
  }

  /** After all that is on its way to them. */
  async after(step: () => Promise<void>): Promise<void> {
    await this.#shows.run(step);
  }

  tell(kind: SessionNoticeKind, text: string): void {
    this.audience.tell(kind, text);
  }

  /** The session is over, or this hpsd: each is sent this as its last. */
  finish(last: LastOutput): void {
    this.#hold.release();
    this.audience.finish(last);
  }

  /** They are sent away and may come back: this hpsd stops, and the session does not. */
  sendAway(reason: string): void {
    this.finish({ case: "detached", value: { reason, hold: durationFromMs(this.#holdMs), comeBack: true } });
  }

  async receive(from: SessionParticipant, input: ShellInput): Promise<void> {
    if (!this.audience.has(from)) return;
    switch (input.case) {
      case "detach":
        this.#detach(from, "");
        break;
      case "leave":
        if (from.role === "owner") this.#session.endBecause(`${from.operator} left it`);
        else this.#detach(from, "");
        break;
      case "admit":
        admitWriter(this.audience, from, input.value);
        break;
      default:
        await this.#session.type(from, input);
    }
  }

  left(who: SessionParticipant, reason: string): void {
    if (!this.audience.remove(who) || this.#session.isOver) return;
    if (who.role === "owner" && !this.#session.goesOn) this.#session.endBecause(reason);
    tellLeft(this.audience, who, reason);
    this.watch();
  }

  refused(who: SessionParticipant, error: HpsError): void {
    if (who.role === "owner" && this.audience.has(who)) this.#session.endBecause(error.message);
  }

  taken(): void {
    this.audience.change();
  }

  screen(): Promise<readonly OperatorOutput[]> | undefined {
    return this.#session.screenAt(this.audience.shown);
  }

  #detach(who: SessionParticipant, reason: string): void {
    if (who.role === "owner" && !this.#session.isTerminal) {
      throw new HpsError("invalid", "a command ends with its operator: only a terminal can be left running", {
        hint: "start the command in a terminal's session, and detach that",
      });
    }
    who.finish({ case: "detached", value: { reason, hold: durationFromMs(this.#holdMs), comeBack: false } });
    this.audience.remove(who);
    if (reason === "") tellLeft(this.audience, who, "detached");
    this.watch();
  }
}
