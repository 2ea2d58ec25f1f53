/** Between one or more producers and one consumer of a stream: bounded, so that a slow consumer holds its producers back. */

export interface BoundedQueueOptions<T> {
  /** A producer waits while this much is held; one item more than that is the most there ever is. */
  readonly capacity: number;
  readonly sizeOf: (item: T) => number;
}

/** Counted for each item beside its size, so that a flood of empty ones is bounded too. */
const ITEM_OVERHEAD = 64;

export class BoundedQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #capacity: number;
  readonly #sizeOf: (item: T) => number;
  readonly #items: T[] = [];
  #size = 0;
  #producers: (() => void)[] = [];
  #consumer: (() => void) | undefined;
  #end: { readonly error?: unknown } | undefined;

  constructor({ capacity, sizeOf }: BoundedQueueOptions<T>) {
    this.#capacity = capacity;
    this.#sizeOf = sizeOf;
  }

  /** What is held now. */
  get size(): number {
    return this.#size;
  }

  /** Nothing more can be put. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Resolves once the item is in, which a slow consumer delays; false when the queue has ended and nobody wants it. */
  async put(item: T): Promise<boolean> {
    while (this.#size >= this.#capacity && this.#end === undefined) {
      await new Promise<void>((resolve) => this.#producers.push(resolve));
    }
    if (this.#end !== undefined) {
      return false;
    }
    this.#items.push(item);
    this.#size += this.#sizeOf(item) + ITEM_OVERHEAD;
    this.#wakeConsumer();
    return true;
  }

  /** Without waiting: the next item, if one is there. */
  poll(): T | undefined {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#size -= this.#sizeOf(item) + ITEM_OVERHEAD;
      this.#wakeProducers();
    }
    return item;
  }

  /** Without taking it. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** Nothing more comes; the consumer gets what is held, then the end, or `error`. The first end counts. */
  end(...error: readonly [] | readonly [unknown]): void {
    this.#end ??= error.length === 0 ? {} : { error: error[0] };
    this.#wakeProducers();
    this.#wakeConsumer();
  }

  /** One at a time. */
  async next(): Promise<IteratorResult<T, undefined>> {
    while (this.#items.length === 0) {
      if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#consumer = resolve;
      });
    }
    const value = this.poll();
    return value === undefined ? { done: true, value: undefined } : { done: false, value };
  }

  /** The consumer leaves: what is held is forgotten, and producers are told so. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end = {};
    this.#items.length = 0;
    this.#size = 0;
    this.#wakeProducers();
    this.#wakeConsumer();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wakeConsumer(): void {
    const wake = this.#consumer;
    this.#consumer = undefined;
    wake?.();
  }

  #wakeProducers(): void {
    const waiting = this.#producers;
    this.#producers = [];
    for (const wake of waiting) wake();
  }
}
