import type { EventBody } from "../link/attach-messages.ts";
import { verdictOn } from "../link/attach-verdict.ts";
import { describeError } from "../log.ts";

/** Where an installation stands, as someone who looks at the machine wants to know it. */
export interface Standing {
  /** What it is: maker, model, serial number, MAC addresses. */
  readonly machine: string;
  readonly server: string;
  /** Once hpsd has said it. */
  readonly host: string;
  /** What the agent does: a step, or what comes before the steps. */
  readonly doing: string;
  /** An operator has to compare this; empty when there is nothing to approve. */
  readonly fingerprint: string;
  readonly attached: boolean;
  /** All steps, in order. */
  readonly steps: readonly string[];
  readonly progress: { readonly done: number; readonly total: number; readonly unit: string } | undefined;
  /** Why it does not get on; empty while it does. */
  readonly problem: string;
  /** Nothing goes on without an operator. */
  readonly stopped: boolean;
}

const START: Standing = {
  ...{ machine: "", server: "", host: "", doing: "start", fingerprint: "", attached: false },
  ...{ steps: [], progress: undefined, problem: "", stopped: false },
};

/** The standing of this agent; whoever listens is told of every change. */
export class Situation {
  #now = START;
  readonly #listeners = new Set<(standing: Standing) => void>();

  get now(): Standing {
    return this.#now;
  }

  /** `listener` hears every change until the function returned is called. */
  listen(listener: (standing: Standing) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  change(changes: Partial<Standing>): void {
    this.#now = { ...this.#now, ...changes };
    for (const listener of this.#listeners) listener(this.#now);
  }

  /** Attached now, or why not; what stopped a step stays what has to be told. */
  attached(attached: boolean, why: string): void {
    this.change({ attached, ...(!this.#now.stopped && { problem: why }) });
  }

  /** hpsd gives no leave to go on; `step` is the first that is not done, absent when all are. A failure seen here stays what has to be told. */
  held(step: string | undefined): void {
    if (step === undefined || this.#now.stopped) return;
    const problem = "this installation was interrupted or has failed before, and waits for an operator";
    this.change({ doing: step, problem, stopped: true });
  }

  /** hpsd gives leave to go on. */
  permitted(): void {
    if (this.#now.stopped) this.change({ problem: "", stopped: false });
  }

  /** The agent ends. What hpsd has ended is not to be retried. */
  ended(why: unknown): void {
    this.change({ problem: describeError(why), stopped: verdictOn(why) !== "over", attached: false });
  }

  /** What an event of the steps changes. */
  hear(event: EventBody): void {
    const changes = changesOf(event);
    if (changes !== undefined) this.change(changes);
  }
}

function changesOf(event: EventBody): Partial<Standing> | undefined {
  const going = { progress: undefined, problem: "", stopped: false };
  switch (event.case) {
    case "plan":
      return { steps: event.value.steps ?? [] };
    case "stepStarted":
      return { ...going, doing: event.value.step ?? "" };
    case "stepSucceeded":
      return going;
    case "stepFailed":
      return { problem: event.value.reason ?? "", stopped: true };
    case "stepProgress": {
      const { done = 0n, total = 0n, unit = "" } = event.value;
      return { progress: { done: Number(done), total: Number(total), unit } };
    }
    default:
      return undefined;
  }
}
