import { Worker } from "node:worker_threads";
import type { SentError } from "../../../proto/flow/sent-error.ts";
import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WrittenPack } from "./pack-writer.ts";
import { deathOf, errorOf } from "./thread-failure.ts";
import type { SentFrame, UploadPlan, UploadStart } from "./upload-work.ts";

/** Bundled code has no .ts files: the worker is then its own bundle beside this one. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./upload-worker.ts" : "./upload-worker.js",
  import.meta.url,
);

/** For one answer. The largest manifest is read and looked up in a minute, the last sync of a slow disk takes as long. */
const LIMIT_MS = 10 * 60_000;
const MEMORY = { maxOldGenerationSizeMb: 1536, maxYoungGenerationSizeMb: 64 };

export type UploadCall =
  | { readonly kind: "manifest"; readonly data: Uint8Array }
  | { readonly kind: "plan" }
  | { readonly kind: "frame"; readonly frame: SentFrame }
  | { readonly kind: "finish" };

export type UploadReply =
  | { readonly kind: "manifest" }
  | { readonly kind: "plan"; readonly plan: UploadPlan }
  | { readonly kind: "frame"; readonly stored: number }
  | { readonly kind: "finish"; readonly packs: readonly WrittenPack[] }
  | { readonly kind: "failure"; readonly failure: SentError };

type ReplyTo<K extends UploadCall["kind"]> = Extract<UploadReply, { readonly kind: K }>;

/** UploadWork in a thread. One call at a time; after one that failed there is no other. */
export class UploadThread {
  readonly #worker: Worker;
  readonly #what: string;
  readonly #limitMs: number;
  readonly #exit: Promise<undefined>;
  #failure: unknown;

  constructor(start: UploadStart, limitMs = LIMIT_MS) {
    this.#what = start.what;
    this.#limitMs = limitMs;
    this.#worker = new Worker(WORKER_URL, { name: "upload", workerData: start, resourceLimits: MEMORY });
    // What it dies of is seen by the call it has, or by the next.
    this.#worker.on("error", (error) => {
      this.#failure = error;
    });
    this.#exit = new Promise((resolve) => this.#worker.once("exit", () => resolve(undefined)));
    this.#worker.unref();
  }

  async manifest(data: Uint8Array): Promise<void> {
    await this.#call("manifest", { kind: "manifest", data });
  }

  async plan(): Promise<UploadPlan> {
    return (await this.#call("plan", { kind: "plan" })).plan;
  }

  /** Takes the frame's memory with it; answers with all bytes stored so far. */
  async frame(frame: SentFrame): Promise<number> {
    return (await this.#call("frame", { kind: "frame", frame }, [frame.bytes.buffer])).stored;
  }

  async finish(): Promise<readonly WrittenPack[]> {
    return (await this.#call("finish", { kind: "finish" })).packs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #call<K extends UploadCall["kind"]>(
    kind: K,
    call: UploadCall,
    transfer: readonly ArrayBufferLike[] = [],
  ): Promise<ReplyTo<K>> {
    const reply = Promise.withResolvers<UploadReply>();
    this.#worker.once("message", reply.resolve);
    this.#worker.postMessage(
      call,
      transfer.filter((buffer) => buffer instanceof ArrayBuffer),
    );
    const either = Promise.race([reply.promise, this.#exit]);
    const inTime = await settlesWithin(either, this.#limitMs);
    this.#worker.off("message", reply.resolve);
    if (!inTime) throw new HpsError("deadline", `hpsd could not look through ${this.#what} in time`);
    const answer = await either;
    if (answer === undefined) throw this.#died();
    if (answer.kind === "failure") throw errorOf(answer.failure, `storing ${this.#what}`);
    if (isReplyTo(answer, kind)) return answer;
    throw new HpsError("internal", `an answer to another question about ${this.#what}`);
  }

  #died(): HpsError {
    const full = `${this.#what} has more entries than hpsd can look through`;
    return deathOf(this.#failure, { died: `the thread of ${this.#what} has died`, full });
  }
}

function isReplyTo<K extends UploadCall["kind"]>(reply: UploadReply, kind: K): reply is ReplyTo<K> {
  return reply.kind === kind;
}
