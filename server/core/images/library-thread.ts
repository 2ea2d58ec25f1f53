import { Worker } from "node:worker_threads";
import type { SentError } from "../../../proto/flow/sent-error.ts";
import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { LibraryJob, LibraryResult, LibraryResults } from "./library-work.ts";
import { deathOf, errorOf } from "./thread-failure.ts";

/** Bundled code has no .ts files: the worker is then its own bundle beside this one. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./library-worker.ts" : "./library-worker.js",
  import.meta.url,
);

/** A terabyte of packs is read within. */
const LIMIT_MS = 6 * 3_600_000;
const MEMORY = { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 64 };

export type LibraryReply =
  | { readonly kind: "result"; readonly result: LibraryResult }
  | { readonly kind: "failure"; readonly failure: SentError };

export interface ThreadOptions {
  /** Ends the thread; the job fails then as `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** What is being done, for errors: `collecting`. */
  readonly what: string;
}

/** Carries one job out in a thread of its own. */
export async function inThread<Kind extends LibraryJob["kind"]>(
  job: Extract<LibraryJob, { readonly kind: Kind }>,
  { signal, what }: ThreadOptions,
): Promise<LibraryResults[Kind]> {
  if (signal?.aborted === true) throw new HpsError("cancelled", `${what} was ended`);
  const worker = new Worker(WORKER_URL, { name: "library", workerData: job, resourceLimits: MEMORY });
  worker.unref();
  const { promise, resolve, reject } = Promise.withResolvers<LibraryReply>();
  worker.once("message", resolve);
  worker.once("error", (cause) => reject(died(what, cause)));
  worker.once("exit", () => reject(died(what)));
  const end = () => reject(new HpsError("cancelled", `${what} was ended`));
  signal?.addEventListener("abort", end, { once: true });
  try {
    if (!(await settlesWithin(promise, LIMIT_MS))) throw new HpsError("deadline", `${what} took too long`);
    const reply = await promise;
    if (reply.kind === "failure") throw errorOf(reply.failure, what);
    // Our own thread answers a job with that job's result.
    return reply.result as LibraryResults[Kind];
  } finally {
    signal?.removeEventListener("abort", end);
    await worker.terminate();
  }
}

function died(what: string, cause?: unknown): HpsError {
  const full = `${what}: the library has more objects than hpsd can look through`;
  return deathOf(cause, { died: `${what}: its thread has died`, full });
}
