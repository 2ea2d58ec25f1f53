import { type SessionNotice, SessionNoticeKind } from "../../proto/gen/hps/v1/shell_pb.ts";

/** Whom the owner of a session lets type, as far as its terminal has seen. */
export class Writers {
  readonly #self: string;
  readonly #decided = new Set<string>();
  #asking: string | undefined;
  #admitted: string | undefined;

  /** `self`: what the owner is called among those who take part. */
  constructor(self: string) {
    this.#self = self;
  }

  /** Gives what the person has to know beside the notice. */
  heard({ kind, participant }: Pick<SessionNotice, "kind" | "participant">): string {
    if (kind === SessionNoticeKind.LEFT && participant === this.#asking) this.#asking = undefined;
    const isQuestion = kind === SessionNoticeKind.WRITERS && participant !== "" && participant !== this.#self;
    // Of whom was decided already, it is the answer to that.
    if (!isQuestion || this.#decided.has(participant)) return "";
    this.#asking = participant;
    return " (~w lets them)";
  }

  /** The next decision: who asked last may type, then no more; undefined when nobody asked. */
  toggle(): { readonly participant: string; readonly write: boolean } | undefined {
    const participant = this.#asking ?? this.#admitted;
    if (participant === undefined) return undefined;
    const write = this.#asking !== undefined;
    this.#decided.add(participant);
    this.#admitted = write ? participant : undefined;
    this.#asking = write ? undefined : this.#asking;
    return { participant, write };
  }
}
