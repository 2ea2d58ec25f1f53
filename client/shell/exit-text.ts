import { constants } from "node:os";

/** How a session ended, as hpsd tells it. */
export interface SessionExit {
  readonly code: number;
  readonly signal: number;
  readonly reason: string;
}

/** One sentence about an end that did not come of itself; empty for one that did. */
export function exitText({ reason, signal }: SessionExit): string {
  if (reason !== "") return `the session ended: ${reason}`;
  return signal === 0 ? "" : `the program was ended by ${signalName(signal)}`;
}

/** `SIGKILL`, or `signal 35` for one without a name. */
function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}
