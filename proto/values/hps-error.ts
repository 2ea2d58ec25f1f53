/**
 * The one error of HPS and the one table that gives it its gRPC status, HTTP status and exit code.
 * Whatever else is thrown reaches a peer as `internal` with an incident id and nothing more.
 */

/** What a code means to each kind of peer. `grpc` is a status of https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
interface ErrorRow {
  readonly grpc: number;
  readonly http: number;
  readonly exit: number;
}

/** Exit code 0 is success; 2 is also what a wrong command line gives. */
export const ERROR_TABLE = {
  cancelled: { grpc: 1, http: 499, exit: 130 },
  internal: { grpc: 13, http: 500, exit: 1 },
  invalid: { grpc: 3, http: 400, exit: 2 },
  deadline: { grpc: 4, http: 504, exit: 9 },
  "not-found": { grpc: 5, http: 404, exit: 3 },
  exists: { grpc: 6, http: 409, exit: 6 },
  denied: { grpc: 7, http: 403, exit: 4 },
  exhausted: { grpc: 8, http: 429, exit: 11 },
  precondition: { grpc: 9, http: 412, exit: 7 },
  aborted: { grpc: 10, http: 409, exit: 10 },
  "out-of-range": { grpc: 11, http: 416, exit: 14 },
  unimplemented: { grpc: 12, http: 501, exit: 12 },
  unavailable: { grpc: 14, http: 503, exit: 8 },
  "data-loss": { grpc: 15, http: 507, exit: 13 },
  unauthenticated: { grpc: 16, http: 401, exit: 5 },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface HpsErrorOptions {
  /** What to do next, for the reader. */
  readonly hint?: string;
  /** Facts a program may act on; values a peer may see. */
  readonly details?: Readonly<Record<string, string>>;
  /** What was underneath: logged, never sent. */
  readonly cause?: unknown;
}

/** `message` names the thing it is about ("no host web01") and is shown to the peer; `cause` is for the log alone. */
export class HpsError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: HpsErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "HpsError";
    this.code = code;
    this.hint = options.hint ?? "";
    this.details = options.details ?? {};
  }
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, text);
}

/** The code a gRPC status stands for; an unknown status is `internal`. */
export function codeOfGrpc(status: number): ErrorCode {
  const code = Object.keys(ERROR_TABLE)
    .filter(isErrorCode)
    .find((candidate) => ERROR_TABLE[candidate].grpc === status);
  return code ?? "internal";
}
