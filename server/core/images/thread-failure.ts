/** How the end of what a library's thread was asked for is told. */
import { receivedError, type SentError } from "../../../proto/flow/sent-error.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** For what is no error of ours; nobody but the log reads of it. */
export const DEFECT = "it ended by a defect";

/** `what` was not done. */
export function errorOf(sent: SentError, what: string): HpsError {
  const error = receivedError(sent);
  return error.code === "internal" ? new HpsError("internal", `${what} could not be done`, { cause: error }) : error;
}

/** A thread that ended without an answer: `full` where its memory was too small, else `died`. */
export function deathOf(cause: unknown, { died, full }: { readonly died: string; readonly full: string }): HpsError {
  const isFull = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isFull ? new HpsError("exhausted", full, { cause }) : new HpsError("internal", died, { cause });
}
