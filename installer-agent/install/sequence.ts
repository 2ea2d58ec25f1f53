import { HpsError } from "../../proto/values/hps-error.ts";
import type { EventBody } from "../link/attach-messages.ts";
import { describeError, type Log } from "../log.ts";
import type { Job, Step } from "./step.ts";

export interface SequenceOptions {
  readonly steps: readonly Step[];
  readonly job: Job;
  /** Tells hpsd. */
  readonly event: (event: EventBody) => void;
  readonly line: (source: string, text: string) => void;
  readonly log: Log;
}

/**
 * The steps in order, each only with hpsd's permission. A step that fails takes the permission away, so nothing is ever
 * tried again until hpsd says so; what is running when permission goes is finished.
 */
export class Sequence {
  readonly #options: SequenceOptions;
  /** Of this run: never done again, whatever hpsd has heard so far. */
  readonly #done = new Set<string>();
  #doneBefore: ReadonlySet<string> = new Set();
  #permission = Promise.withResolvers<void>();

  constructor(options: SequenceOptions) {
    this.#options = options;
  }

  /** Go on from the first step that is not done. */
  permit(doneSteps: readonly string[]): void {
    this.#doneBefore = new Set(doneSteps);
    this.#permission.resolve();
  }

  /** Begin no further step. */
  hold(): void {
    this.#permission.resolve(); // whoever waits on the old one asks again
    this.#permission = Promise.withResolvers();
  }

  /** Resolves when every step is done; rejects with the signal's reason only. */
  async run(signal: AbortSignal): Promise<void> {
    const { steps, event } = this.#options;
    event({ case: "plan", value: { steps: steps.map(({ name }) => name) } });
    for (;;) {
      await this.#permitted(signal);
      const step = steps.find(({ name }) => !this.#done.has(name) && !this.#doneBefore.has(name));
      if (step === undefined) return;
      await this.#runStep(step, signal);
    }
  }

  async #permitted(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      let asked: Promise<void> | undefined;
      while (asked !== this.#permission.promise) {
        asked = this.#permission.promise;
        await Promise.race([asked, aborted.promise]);
      }
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #runStep({ name: step, run }: Step, signal: AbortSignal): Promise<void> {
    const { job, event, line, log } = this.#options;
    log.info("step started", { step });
    event({ case: "stepStarted", value: { step } });
    try {
      await run({
        job,
        signal,
        log: (text) => {
          log.info(text, { step });
          line(step, text);
        },
        progress: (done, total, unit) =>
          event({ case: "stepProgress", value: { step, done: BigInt(done), total: BigInt(total), unit } }),
      });
      this.#done.add(step);
      log.info("step succeeded", { step });
      event({ case: "stepSucceeded", value: { step } });
    } catch (error) {
      signal.throwIfAborted();
      this.#fail(step, error);
    }
  }

  #fail(step: string, error: unknown): void {
    const { event, log } = this.#options;
    this.hold();
    const reason = describeError(error);
    log.error(`step failed: ${reason}; waiting for retry or cancel`, { step });
    if (!(error instanceof HpsError) && error instanceof Error) log.debug(error.stack ?? error.name);
    event({ case: "stepFailed", value: { step, reason } });
  }
}
