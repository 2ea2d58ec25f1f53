/** What bounds one operation in the store, whatever its agent sends. */

/** Steps of an operation. */
export const MAX_STEPS = 64;
/** Journal entries an agent may cause; changes of state are always journalled. */
export const MAX_JOURNAL = 20_000;
/** From here on the journal takes no more progress, so that the rest has room. */
export const MAX_PROGRESS_JOURNAL = 10_000;
/** Progress goes to the steps always, to the journal at most this often for one step. Milliseconds. */
export const PROGRESS_JOURNAL_MS = 1_000;
/** One log line. */
export const MAX_LINE_BYTES = 64 * 1024;
/** Cost (store/log-lines.ts) of all log lines of one operation. The newest are kept: they say why it ended as it did. */
export const MAX_LOG_COST = 64 * 1024 * 1024;
/** How much is freed at once when the log is full, so that not every line pays for it. */
export const LOG_SLACK = MAX_LOG_COST / 16;
/** Reasons, in UTF-8 bytes. */
export const MAX_REASON_BYTES = 4096;
