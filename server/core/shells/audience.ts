import type { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { LastOutput, ShownOutput } from "./participant.ts";
import type { SessionParticipant } from "./session-participant.ts";

/**
 * Everybody who takes part in a session. A terminal's program is paced by the fastest of them as long as one of them may
 * write, and by nobody else: the slower ones are skipped and shown the screen later. A command is paced by its owner
 * alone, who gets every byte.
 */
export class Audience {
  readonly #isTerminal: boolean;
  readonly #all = new Set<SessionParticipant>();
  readonly #gone = Promise.withResolvers<void>();
  /** Bytes of the program's output that were shown, since the session's beginning. */
  #shown: number;
  #isOver = false;
  #changed: PromiseWithResolvers<void> | undefined;

  /** `shown`: what an earlier hpsd has shown. */
  constructor({ isTerminal, shown }: { readonly isTerminal: boolean; readonly shown: number }) {
    this.#isTerminal = isTerminal;
    this.#shown = shown;
  }

  get shown(): number {
    return this.#shown;
  }

  get all(): readonly SessionParticipant[] {
    return [...this.#all];
  }

  get owner(): SessionParticipant | undefined {
    return this.all.find(({ role }) => role === "owner");
  }

  /** Bytes that wait. Those who keep up hold the end of the same output, the pieces themselves, so the longest counts. */
  get size(): number {
    return Math.max(0, ...this.all.map(({ size }) => size));
  }

  /** Resolves once the session is over and everybody has been told, or is gone. */
  get allGone(): Promise<void> {
    return this.#gone.promise;
  }

  add(participant: SessionParticipant): void {
    this.#all.add(participant);
    this.change();
  }

  has(participant: SessionParticipant): boolean {
    return this.#all.has(participant);
  }

  /** False when it was not there. */
  remove(participant: SessionParticipant): boolean {
    const was = this.#all.delete(participant);
    this.change();
    if (this.#isOver && this.#all.size === 0) this.#gone.resolve();
    return was;
  }

  /** Call when somebody has room, may write or is gone. */
  change(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  /** Resolves when those who pace it have it. One at a time. */
  async show(output: ShownOutput): Promise<void> {
    while (!this.#isOver && this.#isHeld()) {
      this.#changed ??= Promise.withResolvers<void>();
      await this.#changed.promise;
    }
    this.#shown += output.value.length;
    this.push(output);
  }

  /** Without waiting: for what is small. */
  push(output: ShownOutput): void {
    for (const participant of this.#all) participant.show(output);
  }

  /** To all, or to all but one. */
  tell(kind: SessionNoticeKind, text: string, about?: SessionParticipant): void {
    for (const participant of this.#all) {
      if (participant !== about) participant.tell(kind, text, about?.id);
    }
  }

  /** The session is over: each is sent this as its last. */
  finish(last: LastOutput): void {
    this.#isOver = true;
    this.change();
    for (const participant of this.#all) participant.finish(last);
    if (this.#all.size === 0) this.#gone.resolve();
  }

  #isHeld(): boolean {
    const { owner } = this;
    if (!this.#isTerminal) return owner !== undefined && !owner.hasRoom;
    return this.all.some(({ mayWrite }) => mayWrite) && !this.all.some(({ hasRoom }) => hasRoom);
  }
}
