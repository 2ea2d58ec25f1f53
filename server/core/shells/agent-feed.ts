import type { ServeShellResponse } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { AgentInput } from "./participant.ts";

type ToAgent = Exclude<ServeShellResponse["message"], { case: undefined }>;

/** Input that waits here; beyond it who sends it waits. */
const CAPACITY = 512 * 1024;
/** Input on its way that the program was not given yet; beyond it the rest waits here, so that it never fills the stream. */
const AHEAD = 256 * 1024;
/** How much more is recorded before the agent is told again. */
const RECORDED_STEP = 32 * 1024;
/** Counted for each message beside its size, so that a flood of empty ones is bounded too. */
const MESSAGE_OVERHEAD = 64;

/**
 * What one agent is sent of one session: what is recorded, before all else; input only as far as the program reads, while
 * signals and sizes pass what waits for it. One consumer.
 */
export class AgentFeed implements AsyncIterableIterator<ToAgent, undefined> {
  readonly #waiting: AgentInput[] = [];
  #size = 0;
  #sent = 0;
  #taken = 0;
  #recorded = 0;
  #toldRecorded = 0;
  #over = false;
  #producers: (() => void)[] = [];
  #consumer: (() => void) | undefined;

  /** Bytes that wait here now. */
  get size(): number {
    return this.#size;
  }

  /** Resolves once it is in, which a program that does not read delays; false when the session is over. */
  async put(input: AgentInput): Promise<boolean> {
    while (this.#size >= CAPACITY && !this.#over) {
      await new Promise<void>((resolve) => this.#producers.push(resolve));
    }
    if (this.#over) return false;
    this.#waiting.push(input);
    this.#size += sizeOf(input) + MESSAGE_OVERHEAD;
    this.#wake();
    return true;
  }

  /** So many bytes of the session's output are recorded. */
  recorded(bytes: number): void {
    this.#recorded = Math.max(this.#recorded, bytes);
    this.#wake();
  }

  /** So many bytes of input the program was given, says the agent. `invalid` for more than it was sent, or less than before. */
  inputTaken(bytes: bigint): void {
    if (bytes > BigInt(this.#sent) || bytes < BigInt(this.#taken)) {
      throw new HpsError("invalid", `${bytes} bytes of input are said to be taken, of ${this.#sent} sent`);
    }
    this.#taken = Number(bytes);
    this.#wake();
  }

  async next(): Promise<IteratorResult<ToAgent, undefined>> {
    for (;;) {
      if (this.#over) return { done: true, value: undefined };
      const value = this.#pick();
      if (value !== undefined) return { done: false, value };
      await new Promise<void>((resolve) => {
        this.#consumer = resolve;
      });
    }
  }

  /** The session is over: what waits is forgotten. */
  async return(): Promise<IteratorResult<ToAgent, undefined>> {
    this.#over = true;
    this.#waiting.length = 0;
    this.#size = 0;
    this.#wake();
    for (const wake of this.#producers.splice(0)) wake();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #pick(): ToAgent | undefined {
    if (this.#recorded - this.#toldRecorded >= RECORDED_STEP) {
      this.#toldRecorded = this.#recorded;
      return { case: "recorded", value: BigInt(this.#recorded) };
    }
    const isHeld = this.#sent - this.#taken >= AHEAD;
    const index = this.#waiting.findIndex((input) => !isHeld || passesInput(input));
    const [input] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (input === undefined) return undefined;
    this.#size -= sizeOf(input) + MESSAGE_OVERHEAD;
    this.#sent += sizeOf(input);
    for (const wake of this.#producers.splice(0)) wake();
    return input;
  }

  #wake(): void {
    const wake = this.#consumer;
    this.#consumer = undefined;
    wake?.();
  }
}

function passesInput({ case: kind }: AgentInput): boolean {
  return kind === "window" || kind === "signal";
}

function sizeOf({ value }: AgentInput): number {
  return value instanceof Uint8Array ? value.length : 0;
}
