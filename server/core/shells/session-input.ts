/** What those who take part in a session send to its program. */
import { parseSignal, parseWindowSize, type WindowSize } from "../../../proto/values/terminal.ts";
import type { AgentFeed } from "./agent-feed.ts";
import { Answering } from "./answering.ts";
import type { Audience } from "./audience.ts";
import type { AgentInput } from "./participant.ts";
import { checkPiece } from "./piece.ts";
import type { Recorder } from "./recorder.ts";
import type { SessionParticipant } from "./session-participant.ts";
import type { SessionScreen } from "./session-screen.ts";
import type { Traffic } from "./traffic.ts";

export interface SessionInputParts {
  readonly isTerminal: boolean;
  readonly audience: Pick<Audience, "all" | "owner">;
  readonly recorder: Recorder;
  readonly traffic: Traffic;
  readonly feed: Pick<AgentFeed, "put">;
  readonly screen: SessionScreen | undefined;
  readonly clock: () => number;
}

/** From the participants to the agent: recorded first, and of several terminals one answers. */
export class SessionInput {
  readonly #parts: SessionInputParts;
  readonly #answering: Answering;
  #window: WindowSize | undefined;
  #typedAt: number;
  #inFlight = 0;

  constructor(parts: SessionInputParts) {
    this.#parts = parts;
    this.#typedAt = parts.clock();
    this.#answering = new Answering(
      parts.audience,
      (from, keys) => void this.#typed(from, keys).catch(() => undefined),
    );
  }

  /** The size that was asked for last. */
  get window(): WindowSize | undefined {
    return this.#window;
  }

  /** When somebody last typed. */
  get typedAt(): number {
    return this.#typedAt;
  }

  /** Bytes that are held here now. */
  get size(): number {
    return this.#inFlight;
  }

  /** Resolves when there is room for more. Throws `invalid` for what no session takes. */
  async take(from: SessionParticipant, input: AgentInput): Promise<void> {
    if (input.case === "input") await this.#bytes(from, input.value);
    else if (input.case === "window") await this.#resize(from, parseWindowSize(input.value), input);
    else {
      if (input.case === "signal") parseSignal(input.value);
      if (from.mayWrite) await this.#parts.feed.put(input);
      else if (input.case === "signal") from.tellReadOnly();
    }
  }

  async #bytes(from: SessionParticipant, bytes: Uint8Array): Promise<void> {
    checkPiece(bytes, "input");
    await this.#typed(from, this.#parts.isTerminal ? this.#answering.keysOf(from, bytes) : bytes);
  }

  async #typed(from: SessionParticipant, value: Uint8Array): Promise<void> {
    if (value.length === 0) return;
    if (!from.mayWrite) {
      from.tellReadOnly();
      return;
    }
    const { traffic, recorder, feed, clock } = this.#parts;
    this.#typedAt = clock();
    this.#inFlight += value.length;
    try {
      traffic.count("input", value);
      await recorder.input(value);
      await feed.put({ case: "input", value });
    } finally {
      this.#inFlight -= value.length;
    }
  }

  async #resize(from: SessionParticipant, window: WindowSize, input: AgentInput): Promise<void> {
    if (!from.mayWrite) return;
    const { screen, recorder, feed } = this.#parts;
    this.#window = window;
    screen?.resized(window, recorder.outputBytes);
    await recorder.resize(window);
    await feed.put(input);
  }
}
