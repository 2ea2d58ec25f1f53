/** Wakes all who wait for something to have changed. */
export class Bell {
  #next = Promise.withResolvers<void>();

  /** Resolves at the next ring. Take it before looking at what may change, then nothing is missed. */
  get rung(): Promise<void> {
    return this.#next.promise;
  }

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}
