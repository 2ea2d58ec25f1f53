/** The calls a server is answering: to end those of an identity, and to know when none is left. */
import type { DescMethod } from "@bufbuild/protobuf";
import type { HpsError } from "../values/hps-error.ts";
import type { Peer } from "./handlers.ts";
import type { ServerCall } from "./server-call.ts";

/** A call that was let in. */
export interface AdmittedCall<P> {
  readonly method: DescMethod;
  readonly principal: P;
  readonly peer: Peer;
}

interface Ending<P> {
  readonly which: (call: AdmittedCall<P>) => boolean;
  readonly reason: HpsError;
}

interface Active<P> {
  readonly unary: boolean;
  readonly admitted?: AdmittedCall<P>;
  /** Asked for while `authorize` was deciding, maybe by what it had read before. */
  readonly pending: Ending<P>[];
}

export class ActiveCalls<P> {
  readonly #calls = new Map<ServerCall, Active<P>>();
  readonly #idleWaiters: (() => void)[] = [];

  get size(): number {
    return this.#calls.size;
  }

  add(call: ServerCall, method: DescMethod | undefined): void {
    this.#calls.set(call, { unary: method?.methodKind === "unary", pending: [] });
  }

  remove(call: ServerCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) {
      for (const wake of this.#idleWaiters.splice(0)) {
        wake();
      }
    }
  }

  /** From here on `end` can find it. Ends it at once when it was meant before its principal was known. */
  admit(call: ServerCall, admitted: AdmittedCall<P>): void {
    const active = this.#calls.get(call);
    if (active !== undefined) {
      this.#calls.set(call, { ...active, admitted, pending: [] });
      const ending = active.pending.find(({ which }) => which(admitted));
      if (ending !== undefined) {
        call.end(ending.reason);
      }
    }
  }

  /** Ends the admitted calls that fit, and those still being decided when they turn out to fit. */
  end(which: (call: AdmittedCall<P>) => boolean, reason: HpsError): void {
    for (const [call, { admitted, pending }] of this.#calls) {
      if (admitted === undefined) {
        pending.push({ which, reason });
      } else if (which(admitted)) {
        call.end(reason);
      }
    }
  }

  endStreams(reason: HpsError): void {
    for (const [call, { unary }] of this.#calls) {
      if (!unary) {
        call.end(reason);
      }
    }
  }

  endAll(reason: HpsError): void {
    for (const call of this.#calls.keys()) {
      call.end(reason);
    }
  }

  /** Resolves when there is no call. */
  idle(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#calls.size === 0) {
      resolve();
    } else {
      this.#idleWaiters.push(resolve);
    }
    return promise;
  }
}
