/** From what SQLite says to what a peer may read. */
import { HpsError } from "../../proto/values/hps-error.ts";
import { type Failure, STORE_LOCKED, TRANSACTION_LOST } from "./worker-protocol.ts";

export type ConstraintKind = "unique" | "foreign-key" | "not-null" | "check" | "other";

/** A rule of the schema was broken. A repository that can name the thing ("host web01 exists") catches it and says so. */
export class ConstraintError extends HpsError {
  readonly kind: ConstraintKind;
  /** "table.column" for each column of a unique or not-null rule; the rule's name for a check; else empty. */
  readonly columns: readonly string[];

  constructor(kind: ConstraintKind, columns: readonly string[], cause: unknown) {
    super(CONSTRAINTS[kind].code, CONSTRAINTS[kind].message, { cause });
    this.kind = kind;
    this.columns = columns;
  }
}

const CONSTRAINTS = {
  unique: { code: "exists", message: "the store already holds such an entry" },
  "foreign-key": { code: "precondition", message: "the entry belongs to another one that is missing or still in use" },
  "not-null": { code: "internal", message: "the store refused an entry without a required value" },
  check: { code: "internal", message: "the store refused a value" },
  other: { code: "internal", message: "the store refused a change" },
} as const;

const CONSTRAINT_KINDS: Readonly<Record<string, ConstraintKind>> = {
  SQLITE_CONSTRAINT_UNIQUE: "unique",
  SQLITE_CONSTRAINT_PRIMARYKEY: "unique",
  SQLITE_CONSTRAINT_ROWID: "unique",
  SQLITE_CONSTRAINT_FOREIGNKEY: "foreign-key",
  SQLITE_CONSTRAINT_NOTNULL: "not-null",
  SQLITE_CONSTRAINT_CHECK: "check",
};

/** True when `error` is a broken unique rule over exactly `columns` ("host.name"), in any order. */
export function isDuplicateOf(error: unknown, ...columns: readonly string[]): error is ConstraintError {
  if (!(error instanceof ConstraintError) || error.kind !== "unique") return false;
  return [...error.columns].sort().join() === [...columns].sort().join();
}

/** The error a caller sees for a failure in a worker; SQL text and SQLite's words stay in `cause`. */
export function errorOfFailure(failure: Failure): HpsError {
  const cause = new Error(`${failure.code} ${failure.message}${failure.sql === "" ? "" : ` in: ${failure.sql}`}`);
  if (failure.code.startsWith("SQLITE_CONSTRAINT")) return constraintError(failure, cause);
  if (failure.code === STORE_LOCKED) return new HpsError("unavailable", failure.message, { hint: LOCK_HINT });
  const row = ROWS.find(({ codes }) => codes.some((code) => failure.code.startsWith(code)));
  if (row === undefined) return new HpsError("internal", "the store could not run a statement", { cause });
  return new HpsError(row.code, row.message, { hint: row.hint, cause });
}

/** SQLite names the columns only in its message: "UNIQUE constraint failed: host.cluster, host.name". */
function constraintError(failure: Failure, cause: Error): ConstraintError {
  const kind = CONSTRAINT_KINDS[failure.code] ?? "other";
  const named = /constraint failed: (.+)$/.exec(failure.message)?.[1] ?? "";
  return new ConstraintError(kind, named === "" ? [] : named.split(", "), cause);
}

/** A queue that is full, or a wait that took too long. */
export function busyError(): HpsError {
  return new HpsError("unavailable", "the store is busy", { hint: "try again in a moment" });
}

const LOCK_HINT = "stop that process first; only one hpsd may use a state folder";
const DISK_HINT = "see the kernel log for what the disk reports";

/** Of Node, when a copy is synced or renamed. */
const FILE_ERRORS = ["EIO", "ENOENT", "EACCES", "EPERM", "EROFS", "EEXIST", "ENOTDIR", "EISDIR"] as const;

/** First match wins. SHMSIZE is the shared index of the log failing to grow, which only a full disk does. */
const ROWS = [
  {
    codes: ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC", "EDQUOT"],
    code: "exhausted",
    message: "the store's disk is full",
    hint: "free space on the file system of the state folder; nothing acknowledged is lost, no restart is needed",
  },
  {
    codes: ["SQLITE_BUSY", "SQLITE_LOCKED"],
    code: "unavailable",
    message: "the store is busy",
    hint: "try again in a moment",
  },
  {
    codes: ["SQLITE_CORRUPT", "SQLITE_NOTADB"],
    code: "data-loss",
    message: "the store is damaged",
    hint: "stop hpsd, keep a copy of the state folder, and restore the last backup",
  },
  {
    codes: ["SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", ...FILE_ERRORS],
    code: "unavailable",
    message: "the store cannot use its disk",
    hint: DISK_HINT,
  },
  {
    codes: [TRANSACTION_LOST],
    code: "aborted",
    message: "the store undid this change after an earlier failure in it",
    hint: "try again",
  },
] as const;
