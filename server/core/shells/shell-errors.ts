/** What Shells answers when there is no session, in the words of who asks. */
import { HpsError } from "../../../proto/values/hps-error.ts";

export function stoppingError(): HpsError {
  return new HpsError("unavailable", "hpsd is stopping", { hint: "try again later" });
}

export function notAttached(host: string): HpsError {
  return new HpsError("unavailable", `no agent of host ${host} is attached, so there is nothing to open a shell on`, {
    hint: "an agent attaches when the installer or the installed system has started",
    // For programs: this one passes.
    details: { attached: "no" },
  });
}

export function notServed(host: string): HpsError {
  return new HpsError("deadline", `the agent of host ${host} is attached but did not open the shell in time`);
}

/** Of one that nobody can take part in. */
export function notGoing(id: string, isWaiting: boolean): HpsError {
  return isWaiting
    ? new HpsError("precondition", `session ${id} has not begun: it waits for another operator's approval`, {
        hint: `hpsctl session approve ${id}`,
      })
    : new HpsError("precondition", `session ${id} is over`, { hint: "hpsctl session get shows how it ended" });
}
