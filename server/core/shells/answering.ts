/** Of several who type, whose terminal answers what a program asks terminals. */
import { TerminalKeys } from "../../../proto/values/terminal-replies.ts";
import type { Audience } from "./audience.ts";
import type { SessionParticipant } from "./session-participant.ts";

/** For the rest of an answer that came in pieces; an escape that somebody typed waits so long. */
const SETTLE_MS = 50;

interface Held {
  readonly keys: TerminalKeys;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The owner's, or while that is away the one of who has been there longest of those who type. From every other terminal only keys
 * go on: what it answers by itself is text that nobody typed.
 */
export class Answering {
  readonly #audience: Pick<Audience, "all" | "owner">;
  readonly #late: (from: SessionParticipant, keys: Uint8Array) => void;
  readonly #held = new WeakMap<SessionParticipant, Held>();

  /** `late` is called with keys that were held because they could have become an answer. */
  constructor(audience: Pick<Audience, "all" | "owner">, late: (from: SessionParticipant, keys: Uint8Array) => void) {
    this.#audience = audience;
    this.#late = late;
  }

  /** What of it goes to the program now. */
  keysOf(from: SessionParticipant, bytes: Uint8Array): Uint8Array {
    const held = this.#held.get(from);
    clearTimeout(held?.timer);
    if (this.#answers(from)) {
      this.#held.delete(from);
      return held === undefined ? bytes : Buffer.concat([held.keys.settle(), bytes]);
    }
    const { keys } = held ?? { keys: new TerminalKeys() };
    const typed = keys.take(bytes);
    const settle = () => this.#late(from, keys.settle());
    this.#held.set(from, { keys, timer: keys.isOpen ? setTimeout(settle, SETTLE_MS).unref() : undefined });
    return typed;
  }

  #answers(from: SessionParticipant): boolean {
    return from === (this.#audience.owner ?? this.#audience.all.find(({ mayWrite }) => mayWrite));
  }
}
