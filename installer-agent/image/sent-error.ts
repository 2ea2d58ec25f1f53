import { HpsError } from "../../proto/values/hps-error.ts";
import type { SentError } from "./jobs.ts";

/** For another thread; what is no `HpsError` is `internal`, and what it says goes no further than the log. */
export function sentError(error: unknown): SentError {
  const known =
    error instanceof HpsError ? error : new HpsError("internal", "unpacking ended by a defect", { cause: error });
  const { code, message, hint, details } = known;
  const under = known.cause instanceof Error ? known.cause : known;
  return { code, message, hint, details, stack: under.stack ?? under.message };
}

/** The same again as an error. */
export function receivedError({ code, message, hint, details, stack }: SentError): HpsError {
  return new HpsError(code, message, { hint, details, cause: new Error(stack) });
}
