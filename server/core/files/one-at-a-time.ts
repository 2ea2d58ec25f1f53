/** Runs jobs in the order they came, each after the one before has ended, however it did. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  async run<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#last.then(job, job);
    this.#last = done.catch(() => undefined);
    return await done;
  }
}
