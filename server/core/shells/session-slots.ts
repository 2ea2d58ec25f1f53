import { HpsError } from "../../../proto/values/hps-error.ts";

export interface SlotLimits {
  readonly perHost: number;
  readonly inAll: number;
}

/** How many sessions there may be at one time. */
export class SessionSlots {
  readonly #limits: SlotLimits;
  readonly #byHost = new Map<string, number>();
  #inAll = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Takes one and gives what frees it, once. `exhausted` when there is none. */
  take(hostId: string): () => void {
    const { perHost, inAll } = this.#limits;
    const taken = this.#byHost.get(hostId) ?? 0;
    if (taken >= perHost) throw tooMany(`this host has ${perHost} shell sessions already`);
    if (this.#inAll >= inAll) throw tooMany(`this server has ${inAll} shell sessions already`);
    this.#byHost.set(hostId, taken + 1);
    this.#inAll += 1;
    let free = () => {
      free = () => {};
      this.#free(hostId);
    };
    return () => free();
  }

  #free(hostId: string): void {
    const left = (this.#byHost.get(hostId) ?? 1) - 1;
    this.#inAll -= 1;
    if (left === 0) this.#byHost.delete(hostId);
    else this.#byHost.set(hostId, left);
  }
}

function tooMany(what: string): HpsError {
  return new HpsError("exhausted", `${what}, with those that somebody left running`, {
    hint: "hpsctl session ls --open shows them; end one you may: hpsctl session kill ID",
  });
}
