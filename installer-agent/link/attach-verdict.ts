import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";

/** What a short wait may mend; a newer Attach of our own identity is not among it: coming back at once would throw the other out. */
const PASSING: readonly ErrorCode[] = ["unavailable", "deadline", "cancelled", "internal"];

/** What the end of an Attach means for the next one. */
export type Verdict =
  /** Soon. */
  | "again"
  /** Only time or an operator can help. */
  | "later"
  /** hpsd cannot take what this run says; it would refuse it for ever. */
  | "new-run"
  /** Never: the installation has ended, or its certificate is revoked. */
  | "over";

export function verdictOn(error: unknown): Verdict {
  if (!(error instanceof HpsError)) return "again";
  if (isOver(error)) return "over";
  if (error.code === "invalid") return "new-run";
  return PASSING.includes(error.code) ? "again" : "later";
}

function isOver({ code, details }: HpsError): boolean {
  const { reason = "", state = "", outcome = "" } = details;
  if (code === "unauthenticated") return reason === "revoked" || reason === "ended";
  return code === "precondition" && (state === "ended" || state === "deleted" || !["", "open"].includes(outcome));
}
