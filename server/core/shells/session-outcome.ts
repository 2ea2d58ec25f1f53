import type { ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";

/** How a session ended. */
export interface Outcome {
  /** 128 + signal when killed; null when it was ended from outside. */
  readonly code: number | null;
  readonly signal: number;
  /** Why it could not run or was ended; empty when the program ended by itself. */
  readonly reason: string;
}

/** What ssh answers when it has no exit code to give. */
const NO_CODE = 255;
const MAX_SIGNAL = 64;
const MAX_REASON = 1024;

/** What an agent says of an exit, brought into its bounds. */
export function outcomeOf({ code, signal, reason }: ShellExit): Outcome {
  return {
    code: within(code, 255) ? code : NO_CODE,
    signal: within(signal, MAX_SIGNAL) ? signal : 0,
    reason: reason.slice(0, MAX_REASON),
  };
}

/** What the operator is told of it. */
export function operatorExit({ code, signal, reason }: Outcome): Pick<ShellExit, "code" | "signal" | "reason"> {
  return { code: code ?? NO_CODE, signal, reason };
}

function within(value: number, most: number): boolean {
  return value >= 0 && value <= most;
}
