import { setTimeout as sleep } from "node:timers/promises";
import { renewalWait } from "../../certs/renewal.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import { simpleReenroll } from "./est-client.ts";
import type { Identity } from "./identity.ts";

export interface RenewalOptions {
  readonly identity: Identity;
  readonly backoff: BackoffLimits;
  readonly log: Log;
  /** The identity has a new certificate. */
  readonly onRenewed: () => void;
}

/** Keeps the agent's certificate valid: the same key, a new certificate, before the old one ends. */
export class Renewal {
  readonly #options: RenewalOptions;
  #running: Promise<void> | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** Renews each time it is due; resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { identity, backoff, log } = this.#options;
    const waits = new Backoff(backoff);
    let random = Math.random();
    while (!signal.aborted) {
      const due = renewalWait(identity.life, Date.now(), random);
      if (due > 0) await sleep(due, undefined, { signal }).catch(() => undefined);
      else {
        random = Math.random();
        const wait = await this.now(signal).then(
          () => waits.longest(), // not 0: a certificate that is due again at once must not make us spin
          (error: unknown) => {
            if (!signal.aborted) log.error(`cannot renew the certificate: ${describeError(error)}`);
            return waits.next();
          },
        );
        await sleep(wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Renews at once; whoever asks meanwhile shares the attempt. */
  now(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#renew(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { identity, log, onRenewed } = this.#options;
    const answer = await simpleReenroll(identity.contact, identity.credentials, signal);
    if (answer.kind === "pending") throw new HpsError("unavailable", "hpsd has not decided on the renewal yet");
    await identity.renew(answer.chain);
    log.info("certificate renewed", { until: new Date(identity.life.notAfter).toISOString() });
    onRenewed();
  }
}
