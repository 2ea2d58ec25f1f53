import { z } from "zod";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { safeBytes } from "../../proto/values/safe-text.ts";

const LONGEST_WAIT = 5 * 60_000;

/** Milliseconds of a Retry-After header in seconds, from 1 s to 5 min; undefined for anything else (a date: the clock may be wrong). */
export function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Math.max(Number(header) * 1000, 1000), LONGEST_WAIT);
}

/** What may be different the next time. All else is hpsd's last word. */
const PASSING: readonly ErrorCode[] = ["unavailable", "deadline", "exhausted", "internal"];

/** Whether asking again can help. */
export function isPassing(error: unknown): boolean {
  return error instanceof HpsError && PASSING.includes(error.code);
}

const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [401, "unauthenticated"],
  [403, "denied"],
  [404, "not-found"],
  [409, "exists"],
  [412, "precondition"],
  [429, "exhausted"],
  [500, "internal"],
  [504, "deadline"],
  [507, "data-loss"],
]);

const refusalSchema = z.object({ message: z.string(), hint: z.string().default("") });

/** hpsd's refusal as an error. Any other status is `invalid` below 500, `unavailable` above. */
export function refusalOf(answer: {
  readonly status: number;
  readonly body: Buffer;
  readonly waitMs?: number;
}): HpsError {
  const { status, body, waitMs } = answer;
  const code = CODES.get(status) ?? (status >= 400 && status < 500 ? "invalid" : "unavailable");
  const { message, hint } = wordsOf(body);
  return new HpsError(code, `hpsd refused (${status})${message === "" ? "" : `: ${message}`}`, {
    hint,
    ...(waitMs !== undefined && { details: { retryAfterMs: String(waitMs) } }),
  });
}

/** JSON of an HpsError, else the first line as it is. */
function wordsOf(body: Buffer): { readonly message: string; readonly hint: string } {
  try {
    const { message, hint } = refusalSchema.parse(JSON.parse(body.toString("utf8")));
    return { message: message.slice(0, 500), hint: hint.slice(0, 500) };
  } catch {
    return { message: (safeBytes(body.subarray(0, 500), { keepLayout: true }).split("\n")[0] ?? "").trim(), hint: "" };
  }
}

/** What Node says of a connection that failed, in words; the first that fits counts. */
const PROBLEMS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, "connection refused"],
  [/ENOTFOUND|EAI_AGAIN/, "the name is not known"],
  [/EHOSTUNREACH|ENETUNREACH/, "no route to it"],
  [/TimeoutError|ETIMEDOUT|ABORT/, "no answer in time"],
  [/CERT_NOT_YET_VALID/, "its certificate is not yet valid: is this machine's clock right?"],
  [/CERT_HAS_EXPIRED/, "its certificate has expired: is this machine's clock right?"],
  [/UNABLE_TO|SELF_SIGNED|CERT_/, "its certificate is not signed by the claim's root"],
  [/ECONNRESET|EPIPE|socket hang up/, "the connection was lost"],
];

/** A server that could not be asked, or is not the one the claim speaks of. */
export function unreachable(address: string, error: unknown): HpsError {
  if (!(error instanceof Error)) return new HpsError("unavailable", `cannot reach ${address}`, { cause: error });
  const code = "code" in error ? String(error.code) : "";
  const known = `${error.name} ${code} ${error.message}`;
  const what = PROBLEMS.find(([pattern]) => pattern.test(known))?.[1] ?? "the connection failed";
  return new HpsError("unavailable", `cannot reach ${address}: ${what}`, { cause: error });
}
