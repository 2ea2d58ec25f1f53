import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";

/** A real store as one test has it: closed for that test, as any other store, while the threads below live on. */
export class LentStore implements HpsStore, AsyncDisposable {
  readonly #real: HpsStore;
  readonly #giveBack: () => Promise<void>;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(real: HpsStore, giveBack: () => Promise<void>) {
    this.#real = real;
    this.#giveBack = giveBack;
  }

  get failed(): Promise<HpsError> {
    return this.#real.failed;
  }

  get insideTransaction(): boolean {
    return this.#real.insideTransaction;
  }

  read: HpsStore["read"] = (fn) => this.#track(() => this.#real.read(fn));
  write: HpsStore["write"] = (fn) => this.#track(() => this.#real.write(fn));
  backup: HpsStore["backup"] = (file, onProgress) => this.#track(() => this.#real.backup(file, onProgress));
  integrityCheck: HpsStore["integrityCheck"] = () => this.#track(() => this.#real.integrityCheck());
  checkpoint: HpsStore["checkpoint"] = () => this.#track(() => this.#real.checkpoint());

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(async () => await this.#giveBack());
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #track<T>(job: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new HpsError("unavailable", "the store is closed");
    const running = job();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
