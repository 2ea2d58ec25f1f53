import type { OperatorOutput } from "./participant.ts";

/** Counted for each item beside its bytes, so that a flood of empty ones is bounded too. */
const ITEM_OVERHEAD = 64;

/** Output whose bytes are not known yet: a screen that is being rebuilt. What comes behind it waits. */
interface Coming {
  readonly case: "coming";
  readonly value: Promise<readonly OperatorOutput[]>;
}

/**
 * Output on its way to one participant. It takes whatever it is given: who gives looks at `size` before. One consumer.
 */
export class OutputQueue implements AsyncIterableIterator<OperatorOutput, undefined> {
  readonly #onTaken: () => void;
  #items: (OperatorOutput | Coming)[] = [];
  #size = 0;
  #wake: (() => void) | undefined;
  #end: { readonly error?: unknown } | undefined;

  /** `onTaken` is called when the consumer has taken something, or finds nothing to take. */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** What is held now. */
  get size(): number {
    return this.#size;
  }

  /** The consumer waits for more. */
  get isIdle(): boolean {
    return this.#wake !== undefined;
  }

  push(item: OperatorOutput): void {
    if (this.#end !== undefined) return;
    this.#items.push(item);
    this.#size += sizeOfOutput(item) + ITEM_OVERHEAD;
    this.#wakeUp();
  }

  /** The place of output that is being made; it must not reject. */
  pushComing(value: Promise<readonly OperatorOutput[]>): void {
    if (this.#end !== undefined) return;
    this.#items.push({ case: "coming", value });
    this.#wakeUp();
  }

  /** Forgets the program's output and keeps what is said to the person. How many bytes of output it was. */
  drop(): number {
    let dropped = 0;
    this.#items = this.#items.filter((item) => {
      if (item.case !== "output" && item.case !== "errorOutput") return item.case !== "coming";
      dropped += item.value.length;
      this.#size -= sizeOfOutput(item) + ITEM_OVERHEAD;
      return false;
    });
    return dropped;
  }

  /** Nothing more comes; the consumer gets what is held, then the end or `error`. The first end counts. */
  end(...error: readonly [] | readonly [unknown]): void {
    this.#end ??= error.length === 0 ? {} : { error: error[0] };
    this.#wakeUp();
  }

  async next(): Promise<IteratorResult<OperatorOutput, undefined>> {
    for (;;) {
      const [item] = this.#items;
      if (item === undefined) {
        if (this.#end !== undefined) return this.#ended();
        await this.#more();
      } else if (item.case === "coming") {
        await this.#arrived(item);
      } else {
        this.#items.shift();
        this.#size -= sizeOfOutput(item) + ITEM_OVERHEAD;
        this.#onTaken();
        return { done: false, value: item };
      }
    }
  }

  /** The consumer leaves. */
  async return(): Promise<IteratorResult<OperatorOutput, undefined>> {
    this.#end = {};
    this.#items = [];
    this.#size = 0;
    this.#wakeUp();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #ended(): IteratorResult<OperatorOutput, undefined> {
    const end = this.#end;
    if (end !== undefined && "error" in end) throw end.error;
    return { done: true, value: undefined };
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#onTaken();
    await promise;
  }

  /** Puts it in its place, unless that was dropped meanwhile. */
  async #arrived(coming: Coming): Promise<void> {
    const outputs = await coming.value;
    if (this.#items[0] !== coming) return;
    this.#items.splice(0, 1, ...outputs);
    for (const output of outputs) this.#size += sizeOfOutput(output) + ITEM_OVERHEAD;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Bytes of the program's in it. */
function sizeOfOutput({ value }: OperatorOutput): number {
  return value instanceof Uint8Array ? value.length : 0;
}
