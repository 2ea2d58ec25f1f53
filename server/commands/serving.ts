/** Whether hpsd serves; load balancers are told to go elsewhere as soon as it stops. */
export class Serving {
  readonly #listeners = new Set<() => void>();
  #serving = true;

  readonly current = (): boolean => this.#serving;

  /** Calls the listener at the change; gives what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  end(): void {
    this.#serving = false;
    for (const listener of [...this.#listeners]) listener();
  }
}
