import type { Readable } from "node:stream";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type { ProgramOutput } from "./program.ts";

/** Unless told; beyond it the program waits in its own write. */
const CAPACITY = 256 * 1024;

export interface OutputSource {
  readonly kind: ProgramOutput["kind"];
  readonly stream: Readable;
}

/** Reads a program's streams into one bounded queue. A stream nobody drains is not read. */
export class OutputPump {
  readonly queue: BoundedQueue<ProgramOutput>;
  readonly #sources: readonly OutputSource[];
  readonly #done: Promise<unknown>;
  /** Readers that wait for the consumer and not for the program. */
  #heldBack = 0;
  #lastRead = performance.now();

  /** `capacity` is what is read ahead of who takes it. */
  constructor(sources: readonly OutputSource[], capacity = CAPACITY) {
    this.queue = new BoundedQueue({ capacity, sizeOf: ({ bytes }) => bytes.length });
    this.#sources = sources;
    this.#done = Promise.all(sources.map((source) => this.#read(source)));
  }

  /**
   * Call when the program has ended: resolves when the rest is in the queue and the queue has ended. A child left in the
   * background may hold the streams open for ever, so reading stops once nothing came for `quietMs`.
   */
  async finish(quietMs: number): Promise<void> {
    this.#lastRead = performance.now();
    const timer = setInterval(() => {
      if (this.#heldBack === 0 && performance.now() - this.#lastRead >= quietMs) this.destroy();
    }, quietMs / 4);
    await this.#done;
    clearInterval(timer);
    this.queue.end();
  }

  /** Stops reading at once. */
  destroy(): void {
    for (const { stream } of this.#sources) stream.destroy();
  }

  async #read({ kind, stream }: OutputSource): Promise<void> {
    try {
      for await (const bytes of stream) {
        this.#heldBack += 1;
        await this.queue.put({ kind, bytes });
        this.#heldBack -= 1;
        this.#lastRead = performance.now();
      }
    } catch {
      // A terminal's stream ends with EIO when its last program is gone; a destroyed one with a premature close.
    }
  }
}
