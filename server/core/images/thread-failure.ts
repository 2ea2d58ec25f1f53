import { type ErrorCode, HpsError } from "../../../proto/values/hps-error.ts";

/** An error as it goes from one thread to another. */
export interface ThreadFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, string>>;
}

export function failureOf(error: unknown): ThreadFailure {
  if (!(error instanceof HpsError)) return { code: "internal", message: String(error), hint: "", details: {} };
  const { code, message, hint, details } = error;
  return { code, message, hint, details: { ...details } };
}

/** `what` was not done: all that is told of an error that nobody but the log is to read. */
export function errorOf({ code, message, hint, details }: ThreadFailure, what: string): HpsError {
  if (code === "internal") return new HpsError(code, `${what} could not be done`, { cause: new Error(message) });
  return new HpsError(code, message, { hint, details });
}

/** A thread that ended without an answer: `full` where its memory was too small, else `died`. */
export function deathOf(cause: unknown, { died, full }: { readonly died: string; readonly full: string }): HpsError {
  const isFull = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isFull ? new HpsError("exhausted", full, { cause }) : new HpsError("internal", died, { cause });
}
