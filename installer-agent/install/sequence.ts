import { HpsError } from "../../proto/values/hps-error.ts";
import type { EventBody } from "../link/attach-messages.ts";
import { describeError, type Log } from "../log.ts";
import type { Job, Step, StepContext } from "./step.ts";

/** hpsd takes 4 kB. */
const LONGEST_REASON = 1_000;

export interface SequenceOptions {
  readonly steps: readonly Step[];
  readonly job: Job;
  /** Tells hpsd. */
  readonly event: (event: EventBody) => void;
  readonly line: (source: string, text: string) => void;
  readonly log: Log;
  /** No step is left. */
  readonly onIdle: () => void;
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
  #steps: readonly Step[];
  /** Known to be wanted: what installs may be done. */
  #installs = false;
  #permission = Promise.withResolvers<void>();
  #attempt = new AbortController();
  #idle = false;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.#steps = options.steps;
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

  /** Forgets what this run did, stops what it is doing, and waits for leave to begin anew. */
  restart(): void {
    this.hold();
    this.#done.clear();
    this.#idle = false;
    this.#attempt.abort();
    this.#attempt = new AbortController();
  }

  /** Works whenever there is leave and a step; ends with the signal's reason alone. */
  async run(signal: AbortSignal): Promise<never> {
    this.#plan();
    for (;;) {
      await this.#permitted(signal);
      const step = this.#steps.find(({ name }) => !this.#done.has(name) && !this.#doneBefore.has(name));
      if (step === undefined) this.#rest();
      else if (step.installs === true && !this.#installs) await this.#askWhether(step, signal);
      else await this.#runStep(step, signal);
    }
  }

  #plan(): void {
    this.#options.event({ case: "plan", value: { steps: this.#steps.map(({ name }) => name) } });
  }

  /** Before the first step that installs: where nothing is to be installed, such steps are planned no more. */
  async #askWhether(step: Step, signal: AbortSignal): Promise<void> {
    const { job, event } = this.#options;
    const attempt = this.#attempt.signal;
    try {
      const { order } = await job.configuration(AbortSignal.any([signal, attempt]));
      if (order !== undefined) {
        this.#installs = true;
        return;
      }
      this.#steps = this.#steps.filter(({ installs }) => installs !== true);
      this.#plan();
    } catch (error) {
      signal.throwIfAborted();
      if (attempt.aborted) return;
      event({ case: "stepStarted", value: { step: step.name } });
      this.#fail(step.name, error);
    }
  }

  /** Until the next leave, which every new stream brings. */
  #rest(): void {
    this.hold();
    if (!this.#idle) this.#options.onIdle();
    this.#idle = true;
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
    const { event, log } = this.#options;
    const attempt = this.#attempt.signal;
    this.#idle = false;
    log.info("step started", { step });
    event({ case: "stepStarted", value: { step } });
    try {
      await run(this.#contextOf(step, attempt, signal));
      if (attempt.aborted) return; // hpsd knows nothing of this run any more
      this.#done.add(step);
      log.info("step succeeded", { step });
      event({ case: "stepSucceeded", value: { step } });
    } catch (error) {
      signal.throwIfAborted();
      if (!attempt.aborted) this.#fail(step, error);
    }
  }

  #contextOf(step: string, attempt: AbortSignal, signal: AbortSignal): StepContext {
    const { job, event, line, log } = this.#options;
    return {
      job,
      signal: AbortSignal.any([signal, attempt]),
      log: (text) => {
        log.info(text, { step });
        line(step, text);
      },
      progress: (done, total, unit) => {
        const value = { step, done: BigInt(Math.round(done)), total: BigInt(Math.round(total)), unit };
        if (!attempt.aborted) event({ case: "stepProgress", value });
      },
    };
  }

  #fail(step: string, error: unknown): void {
    const { event, log } = this.#options;
    this.hold();
    const reason = describeError(error).slice(0, LONGEST_REASON).toWellFormed();
    log.error(`step failed: ${reason}; waiting for retry or cancel`, { step });
    if (!(error instanceof HpsError) && error instanceof Error) log.debug(error.stack ?? error.name);
    event({ case: "stepFailed", value: { step, reason } });
  }
}
