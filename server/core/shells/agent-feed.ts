import type { ServeShellResponse } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { AgentInput } from "./participant.ts";

export type ToAgent = Exclude<ServeShellResponse["message"], { case: undefined }>;

/** Input that waits here; beyond it who sends it waits. */
const CAPACITY = 512 * 1024;
/** Input on its way that the program was not given yet; beyond it the rest waits here, so that it never fills the stream. */
const AHEAD = 256 * 1024;
/** Of what is sent again. */
const PIECE = 64 * 1024;
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
  /** What was sent and is not taken: what a lost stream may have swallowed. */
  readonly #untaken: Uint8Array[] = [];
  #mustTell = false;
  #stream = 0;
  #cut: unknown;
  #over = false;
  #producers: (() => void)[] = [];
  #consumers: (() => void)[] = [];

  /** Bytes that wait here now, or might have to be sent again. */
  get size(): number {
    return this.#over ? 0 : this.#size + (this.#sent - this.#taken);
  }

  /** What a new stream of the agent is sent. The one before it ends with `aborted`. */
  stream(): AsyncIterableIterator<ToAgent, undefined> {
    this.cut(new HpsError("aborted", "the agent serves this session on a newer stream"));
    const stream = this.#stream;
    return {
      next: async () => await this.#next(stream),
      return: async () => ({ done: true, value: undefined }),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** The stream that is there ends with this error, and the session stays. */
  cut(error: HpsError): void {
    this.#stream += 1;
    this.#cut = error;
    this.#wake();
  }

  /**
   * For the stream that goes on where another was lost: it is told what is recorded first, and sent again what did not
   * arrive behind so many bytes of input. `isNew`: this feed has sent nothing, because hpsd was started anew.
   */
  resume(arrived: bigint, { recorded, isNew }: { readonly recorded: number; readonly isNew: boolean }): void {
    const known = isNew ? arrived : BigInt(this.#sent);
    if (arrived > known || arrived < BigInt(this.#taken)) {
      throw new HpsError("invalid", `${arrived} bytes of input are said to have arrived, of ${known} sent`);
    }
    if (isNew) this.#sent = this.#taken = Number(arrived);
    this.#sendAgain(Number(arrived));
    this.#recorded = this.#toldRecorded = recorded;
    this.#mustTell = true;
    this.#wake();
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
    this.#forget(Number(bytes) - this.#taken);
    this.#taken = Number(bytes);
    this.#wake();
  }

  async next(): Promise<IteratorResult<ToAgent, undefined>> {
    return await this.#next(this.#stream);
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

  async #next(stream: number): Promise<IteratorResult<ToAgent, undefined>> {
    for (;;) {
      if (this.#over) return { done: true, value: undefined };
      if (stream !== this.#stream) throw this.#cut;
      const value = this.#pick();
      if (value !== undefined) return { done: false, value };
      await new Promise<void>((resolve) => this.#consumers.push(resolve));
    }
  }

  #pick(): ToAgent | undefined {
    if (this.#mustTell || this.#recorded - this.#toldRecorded >= RECORDED_STEP) {
      this.#mustTell = false;
      this.#toldRecorded = this.#recorded;
      return { case: "recorded", value: BigInt(this.#recorded) };
    }
    const isHeld = this.#sent - this.#taken >= AHEAD;
    const index = this.#waiting.findIndex((input) => !isHeld || passesInput(input));
    const [input] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (input === undefined) return undefined;
    this.#size -= sizeOf(input) + MESSAGE_OVERHEAD;
    this.#sent += sizeOf(input);
    if (input.case === "input") this.#untaken.push(input.value);
    for (const wake of this.#producers.splice(0)) wake();
    return input;
  }

  /** So many more bytes were taken. */
  #forget(bytes: number): void {
    for (let left = bytes; left > 0; ) {
      const [piece = Buffer.alloc(0)] = this.#untaken.splice(0, 1);
      if (piece.length > left) this.#untaken.unshift(piece.subarray(left));
      left -= Math.min(left, Math.max(piece.length, 1));
    }
  }

  /** What was sent behind so many bytes waits again, before what waits already. */
  #sendAgain(arrived: number): void {
    const untaken = Buffer.concat(this.#untaken.splice(0));
    const received = untaken.subarray(0, arrived - this.#taken);
    const lost = untaken.subarray(received.length);
    if (received.length > 0) this.#untaken.push(received);
    this.#sent = arrived;
    for (let end = lost.length; end > 0; end -= PIECE) {
      const value = lost.subarray(Math.max(0, end - PIECE), end);
      this.#waiting.unshift({ case: "input", value });
      this.#size += value.length + MESSAGE_OVERHEAD;
    }
  }

  #wake(): void {
    for (const wake of this.#consumers.splice(0)) wake();
  }
}

function passesInput({ case: kind }: AgentInput): boolean {
  return kind === "window" || kind === "signal";
}

function sizeOf({ value }: AgentInput): number {
  return value instanceof Uint8Array ? value.length : 0;
}
