import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { OutputQueue } from "./output-queue.ts";
import type {
  LastOutput,
  OperatorOutput,
  Participant,
  Seat,
  SeatRole,
  ShellInput,
  ShownOutput,
} from "./participant.ts";

/** What waits for one participant at most, beside one piece; with what is on its way a session stays far below 4 MiB. */
const CAPACITY = 512 * 1024;
/** Notices that wait at most: those beyond are left out. */
const MAX_NOTICES = 64;
/** A participant that falls behind again and again gets the screen no more often than this. */
const REDRAW_MS = 1000;

/** What a participant needs of its session. */
export interface SessionDoor {
  readonly row: SessionRow;
  receive(from: SessionParticipant, input: ShellInput): Promise<void>;
  left(who: SessionParticipant, reason: string): void;
  refused(who: SessionParticipant, error: HpsError): void;
  /** It has taken something, or waits for more. */
  taken(): void;
  /** What shows one that missed output how things stand, from the output that comes next on. */
  screen(): Promise<readonly OperatorOutput[]> | undefined;
}

export interface Joining {
  readonly operator: string;
  readonly address: string;
  readonly role: SeatRole;
  readonly joinedAt: number;
  /** Has the right to write too, once the owner lets it. */
  readonly mayEnter: boolean;
}

/** One participant with what waits for it. */
export class SessionParticipant implements Participant, Seat {
  readonly id = newUuid();
  readonly operator: string;
  readonly address: string;
  readonly joinedAt: number;
  role: SeatRole;
  mayEnter: boolean;
  readonly #door: SessionDoor;
  readonly #queue: OutputQueue;
  #notices = 0;
  /** Bytes left out since it fell behind; undefined while it keeps up. */
  #missed: number | undefined;
  #redrawnAt = 0;
  #redraw: NodeJS.Timeout | undefined;
  #toldReadOnly = false;

  constructor(door: SessionDoor, { operator, address, role, joinedAt, mayEnter }: Joining) {
    this.mayEnter = mayEnter;
    this.#door = door;
    this.operator = operator;
    this.address = address;
    this.role = role;
    this.joinedAt = joinedAt;
    this.#queue = new OutputQueue(() => this.#taken());
  }

  get session(): SessionRow {
    return this.#door.row;
  }

  get output(): AsyncIterable<OperatorOutput> {
    return this.#queue;
  }

  /** Bytes that wait for it. */
  get size(): number {
    return this.#queue.size;
  }

  /** It would take more output now. */
  get hasRoom(): boolean {
    return this.#missed === undefined && this.#queue.size < CAPACITY;
  }

  get mayWrite(): boolean {
    return this.role !== "watcher";
  }

  async send(input: ShellInput): Promise<void> {
    await this.#door.receive(this, input);
  }

  leave(reason: string): void {
    this.#close();
    void this.#queue.return();
    this.#door.left(this, reason);
  }

  refuse(error: HpsError): void {
    this.#close();
    this.#queue.end(error);
    this.#door.refused(this, error);
  }

  /** Output for it; left out when it is behind. */
  show(output: ShownOutput): void {
    if (this.hasRoom) this.#queue.push(output);
    else this.#missed = (this.#missed ?? this.#queue.drop()) + output.value.length;
  }

  tell(kind: SessionNoticeKind, text: string, participant = ""): void {
    if (this.#notices >= MAX_NOTICES) return;
    this.#notices += 1;
    this.#queue.push({ case: "notice", value: { kind, text, participant } });
  }

  /** Once, to one that types and may not. */
  tellReadOnly(): void {
    if (this.#toldReadOnly) return;
    this.#toldReadOnly = true;
    this.tell(SessionNoticeKind.READ_ONLY, "you only watch this session: what you type goes nowhere");
  }

  /** How things stand now; what is shown from here on comes after it. */
  redraw(): void {
    const screen = this.#door.screen();
    if (screen !== undefined) this.#queue.pushComing(screen);
  }

  /** The last it is sent. */
  finish(last: LastOutput): void {
    if (this.#missed !== undefined) this.#catchUp();
    this.#close();
    this.#queue.push(last);
    this.#queue.end();
  }

  #taken(): void {
    if (this.#queue.size === 0) this.#notices = 0;
    if (this.#missed !== undefined && this.#queue.isIdle) this.#scheduleRedraw();
    this.#door.taken();
  }

  #scheduleRedraw(): void {
    const wait = Math.max(0, this.#redrawnAt + REDRAW_MS - performance.now());
    this.#redraw ??= setTimeout(() => {
      this.#redraw = undefined;
      this.#catchUp();
      this.#door.taken();
    }, wait);
  }

  #catchUp(): void {
    const missed = this.#missed;
    if (missed === undefined) return;
    this.#missed = undefined;
    this.#redrawnAt = performance.now();
    this.tell(SessionNoticeKind.BEHIND, `you fell behind: ${missed} bytes of output were left out here`);
    this.redraw();
  }

  #close(): void {
    clearTimeout(this.#redraw);
    this.#redraw = undefined;
  }
}
