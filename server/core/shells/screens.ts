import { Worker } from "node:worker_threads";
import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import type { ScreenJob } from "./screen-text.ts";

/** Bundled code has no .ts files: the worker is then its own bundle beside this one. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./screen-worker.ts" : "./screen-worker.js",
  import.meta.url,
);

/** Of one screen. A mebibyte takes some 60 ms; what takes longer was written to take long. */
const LIMIT_MS = 2000;
/** For the thread to start. */
const START_MS = 10_000;
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32 };

/** Rebuilds screens one after the other, in a thread that is ended when one takes too long. */
export class Screens {
  readonly #limitMs: number;
  readonly #jobs = new OneAtATime();
  #worker: Promise<Worker> | undefined;

  constructor({ limitMs = LIMIT_MS }: { readonly limitMs?: number } = {}) {
    this.#limitMs = limitMs;
  }

  /** `undefined` when it cannot be rebuilt. `read` is called when it is its turn. Never rejects. */
  async rebuild(read: () => Promise<ScreenJob>): Promise<string | undefined> {
    return await this.#jobs.run(async () => await this.#run(await read())).catch(() => undefined);
  }

  async #run(job: ScreenJob): Promise<string | undefined> {
    this.#worker ??= started();
    const worker = await this.#worker;
    const answer = Promise.withResolvers<string | undefined>();
    const failed = () => answer.resolve(undefined);
    worker.once("message", answer.resolve).once("error", failed).once("exit", failed);
    worker.postMessage(job);
    const inTime = await settlesWithin(answer.promise, this.#limitMs);
    worker.off("message", answer.resolve).off("error", failed).off("exit", failed);
    const text = inTime ? await answer.promise : undefined;
    // One that is stuck, dead or full is not used again.
    if (text === undefined) await this.#drop(worker);
    return text;
  }

  async #drop(worker: Worker): Promise<void> {
    this.#worker = undefined;
    await worker.terminate();
  }
}

async function started(): Promise<Worker> {
  const worker = new Worker(WORKER_URL, { name: "screens", resourceLimits: MEMORY });
  worker.unref();
  // What it dies of is seen by the job it has.
  worker.on("error", () => undefined);
  const online = new Promise((resolve) => worker.once("online", resolve).once("exit", resolve));
  await settlesWithin(online, START_MS);
  return worker;
}
