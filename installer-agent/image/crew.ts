import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Answer, ImageMessage, Job, Message } from "./jobs.ts";
import type { SharedPlaces } from "./places.ts";
import { Rooms } from "./rooms.ts";

/** Bundled code has no .ts files: the worker is then its own bundle beside this one. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./unpack-worker.ts" : "./hps-unpack-worker.cjs",
  import.meta.url,
);

const FEWEST = 2;
const MOST = 4;
/** The one it does, and those after it: then it does not wait for the next while the thread that fetches is busy. */
const JOBS_EACH = 2;
/** What a thread keeps beside content, which is outside of this. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 };
const END_MS = 10_000;

interface Member {
  readonly worker: Worker;
  /** In the order in which they were given, which is that of the answers. */
  readonly waiting: PromiseWithResolvers<Answer>[];
}

/** Threads that write one tree. */
export class Crew {
  /** Memory of what is fetched for the threads; it comes back with their answers. */
  readonly rooms = new Rooms();
  readonly #members: readonly Member[];
  #free: PromiseWithResolvers<void> | undefined;
  #failure: unknown;

  /** `root` is the folder they write below. */
  constructor(root: string, count = Math.min(Math.max(availableParallelism(), FEWEST), MOST)) {
    this.#members = Array.from({ length: count }, (_, index) => this.#started(root, index));
  }

  get size(): number {
    return this.#members.length;
  }

  /** What their jobs are about. */
  tell(image: SharedPlaces): void {
    const message: ImageMessage = { kind: "image", image };
    for (const { worker } of this.#members) worker.postMessage(message);
  }

  /** Resolves when a job would not have to wait long. */
  async room(): Promise<void> {
    while (this.#leastBusy().waiting.length >= JOBS_EACH) {
      this.#free ??= Promise.withResolvers();
      await this.#free.promise;
    }
  }

  /** Gives it to the thread that has least to do. The memory of `transfer` is the thread's from then on. */
  async run(job: Job, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    const { worker, waiting } = this.#leastBusy();
    const answer = Promise.withResolvers<Answer>();
    waiting.push(answer);
    worker.postMessage(job, [...transfer]);
    return await answer.promise;
  }

  /** Ends all threads, also while they work: what is asked of them then is refused. */
  async end(): Promise<void> {
    this.#fail(new HpsError("cancelled", "unpacking was ended"));
    await Promise.all(this.#members.map(({ worker }) => ended(worker)));
  }

  #started(root: string, index: number): Member {
    // Files are opened by calls that Node knows nothing of, and it would warn of each that is closed.
    const options = { workerData: { root }, trackUnmanagedFds: false, resourceLimits: MEMORY };
    const worker = new Worker(WORKER_URL, { ...options, name: `unpack-${index + 1}` });
    const waiting: PromiseWithResolvers<Answer>[] = [];
    worker.on("message", ({ answer, room }: Message) => {
      if (room !== undefined) this.rooms.give(room);
      waiting.shift()?.resolve(answer);
      this.#free?.resolve();
      this.#free = undefined;
    });
    const died = (cause?: unknown) => this.#fail(new HpsError("internal", "a thread that unpacks ended", { cause }));
    worker.on("error", died).on("exit", () => died());
    return { worker, waiting };
  }

  #leastBusy(): Member {
    const [least] = this.#members.toSorted((one, other) => one.waiting.length - other.waiting.length);
    if (least === undefined) throw new Error("no threads");
    return least;
  }

  #fail(why: unknown): void {
    this.#failure ??= why;
    for (const { waiting } of this.#members) {
      for (const answer of waiting.splice(0)) {
        answer.promise.catch(() => undefined); // who has given up the job is not told
        answer.reject(this.#failure);
      }
    }
    this.#free?.resolve();
    this.#free = undefined;
  }
}

async function ended(worker: Worker): Promise<void> {
  const gone = once(worker, "exit");
  worker.postMessage("end");
  if (!(await settlesWithin(gone, END_MS))) await worker.terminate();
}
