import { type ErrorCode, HpsError } from "../values/hps-error.ts";

/** An error as it goes from one thread to another. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, string>>;
  /** Of what was under it: for the log. */
  readonly stack: string;
}

/** For another thread. What is no `HpsError` is `internal` and says `defect`: what it says itself goes no further than the log. */
export function sentError(error: unknown, defect: string): SentError {
  const known = error instanceof HpsError ? error : new HpsError("internal", defect, { cause: error });
  const { code, message, hint, details, cause } = known;
  const under = cause instanceof Error ? cause : known;
  return { code, message, hint, details: { ...details }, stack: under.stack ?? under.message };
}

/** The same again as an error. */
export function receivedError({ code, message, hint, details, stack }: SentError): HpsError {
  return new HpsError(code, message, { hint, details, cause: new Error(stack) });
}
