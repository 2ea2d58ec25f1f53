import { callAt } from "../../proto/flow/time-limit.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { expiryOf } from "../core/identity/live-calls.ts";
import type { Caller } from "../core/identity/principal.ts";

/** Of one certificate at one time: an agent reads its image and its tools, and begins again while the old stream dies. */
const MOST_EACH = 8;
/** In all: each holds a file and what its socket takes. */
const MOST = 2_048;

interface Download {
  readonly caller: Caller;
  readonly stop: (reason: HpsError) => void;
}

/** The answers that are still on their way: each ends with the right to it. */
export class Downloads {
  readonly #open = new Set<Download>();

  get count(): number {
    return this.#open.size;
  }

  /** Ends those of callers that lost their right; for `LiveCalls.connect`. */
  end(which: (caller: Caller) => boolean, reason: HpsError): void {
    for (const download of [...this.#open]) if (which(download.caller)) download.stop(reason);
  }

  /** Gives what to call at its end. `exhausted` for one too many. */
  begin(caller: Caller, stop: (reason: HpsError) => void): () => void {
    const own = [...this.#open].filter((other) => keyOf(other.caller) === keyOf(caller)).length;
    if (own >= MOST_EACH || this.#open.size >= MOST) {
      throw new HpsError("exhausted", "too many files are read at one time", { hint: "wait for one to end" });
    }
    const download = { caller, stop };
    this.#open.add(download);
    const expiry = expiryOf(caller);
    const late = new HpsError("unauthenticated", "the certificate has expired");
    const cancel = expiry && callAt(expiry, () => stop(late));
    return () => {
      this.#open.delete(download);
      cancel?.();
    };
  }
}

function keyOf({ principal, address }: Caller): string {
  return principal.kind === "nobody" ? address : principal.certificate.fingerprint;
}
