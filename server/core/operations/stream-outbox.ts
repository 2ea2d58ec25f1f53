import type { AttachResponseInit, CommandInit } from "../presence/pending-commands.ts";

type Welcome = Extract<NonNullable<AttachResponseInit["message"]>, { case: "welcome" }>["value"];

/**
 * What goes down one agent's stream: the welcome first, then commands and acknowledgements. Of acknowledgements only
 * the latest waits, and commands are few, so an agent that does not read costs nothing.
 */
export class StreamOutbox {
  #welcome: Welcome | undefined;
  #welcomed = false;
  readonly #commands: CommandInit[] = [];
  #acknowledged: number | undefined;
  #stored = 0n;
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  welcome(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#stored = welcome.acknowledgedSequence ?? 0n;
    this.#wake?.();
  }

  command(command: CommandInit): void {
    this.#commands.push({ ...command, acknowledgedSequence: this.#stored });
    this.#wake?.();
  }

  acknowledge(sequence: number): void {
    this.#acknowledged = sequence;
    this.#stored = BigInt(sequence);
    this.#wake?.();
  }

  /** After what waits, or at once with an error. */
  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  /** For one reader. Not a generator: ten thousand of them wait here at a time. */
  responses(): AsyncIterable<AttachResponseInit> {
    const next = () => {
      const result = this.#result();
      if (result !== undefined) return result;
      const { promise, resolve } = Promise.withResolvers<IteratorResult<AttachResponseInit, void>>();
      this.#wake = () => {
        const now = this.#result();
        if (now === undefined) return;
        this.#wake = undefined;
        resolve(now);
      };
      return promise;
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  #result(): Promise<IteratorResult<AttachResponseInit, void>> | undefined {
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    const value = this.#take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return this.#end && Promise.resolve({ done: true, value: undefined });
  }

  #take(): AttachResponseInit | undefined {
    if (!this.#welcomed) {
      if (this.#welcome === undefined) return undefined;
      this.#welcomed = true;
      return { message: { case: "welcome", value: this.#welcome } };
    }
    const command = this.#commands.shift();
    if (command !== undefined) return { message: { case: "command", value: command } };
    const sequence = this.#acknowledged;
    this.#acknowledged = undefined;
    if (sequence === undefined) return undefined;
    return { message: { case: "acknowledgement", value: { sequence: BigInt(sequence) } } };
  }
}
