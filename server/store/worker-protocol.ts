/** What the store and its worker threads say to each other: plain data that survives structured cloning. */

/** What SQLite can bind; an integer outside ±2^53 comes back as bigint. */
export type SqlValue = string | number | bigint | Uint8Array | null;

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** Rows as arrays: the names travel once. */
export interface StatementReply {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly changes: number;
}

/**
 * `run`: the control words of `before`, the statements, then `after`, in one message; the first failure ends it.
 * `inTransaction` is what the sender believes holds before the message: SQLite may have rolled back by itself
 * (a full disk), and a statement that then ran alone would be committed alone. `undo`: before all that, what is left
 * of the transaction before.
 */
export type RequestBody =
  | {
      readonly kind: "run";
      readonly undo: boolean;
      readonly inTransaction: boolean;
      readonly before: readonly string[];
      readonly statements: readonly Statement[];
      readonly after: readonly string[];
    }
  | { readonly kind: "rollback" }
  | { readonly kind: "backup"; readonly file: string }
  | { readonly kind: "close" };

export interface Request {
  readonly id: number;
  readonly body: RequestBody;
}

/** `code` is SQLite's extended name such as SQLITE_CONSTRAINT_UNIQUE, one of ours, or empty. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly sql: string;
}

/** What was thrown, as data; errors of SQLite, of Node and of ours carry a code. */
export function failureOf(error: unknown, sql = ""): Failure {
  if (!(error instanceof Error)) return { code: "", message: String(error), sql };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return { code, message: error.message, sql };
}

export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "progress"; readonly id: number; readonly done: number; readonly total: number }
  | { readonly kind: "answer"; readonly id: number; readonly results: readonly StatementReply[] }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure };

export interface WorkerOptions {
  readonly file: string;
  readonly mode: "writer" | "reader";
  readonly busyTimeoutMs: number;
}

/** Codes of ours beside SQLite's. */
export const TRANSACTION_LOST = "HPS_TRANSACTION_LOST";
export const STORE_LOCKED = "HPS_STORE_LOCKED";
