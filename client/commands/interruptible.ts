import { HpsError } from "../../proto/values/hps-error.ts";
import type { Call } from "./call.ts";

/** Does what an interrupt ends: whatever it throws then is an interrupt. `left` says how things stand. */
export async function interruptible<Result>(call: Call, left: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!call.terminal.signal.aborted) throw cause;
    throw new HpsError("cancelled", `interrupted; ${left}`, { cause });
  }
}
