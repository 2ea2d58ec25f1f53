/** Following an operation: replay from the store, in pages, then what comes. Whoever reads slowly holds nothing. */
import { fromBinary } from "@bufbuild/protobuf";
import { type JournalEntry, JournalEntrySchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import { type JournalRow, selectJournal } from "../../store/journal.ts";
import { type LogLineRow, selectLogLines, selectLogSizes } from "../../store/log-lines.ts";
import type { Bell } from "./bell.ts";

const PAGE = 200;
/** Of a page of log lines: below the limit of a message, whatever the lines are. */
const LOG_PAGE = { lines: 1000, bytes: 512 * 1024 };

/** An operation at one moment. */
interface Watched<V> {
  readonly view: V;
  readonly lastJournal: number;
  readonly lastLog: number;
  readonly ended: boolean;
}

export interface WatchDeps<V> {
  readonly store: HpsStore;
  readonly bell: Bell;
  readonly read: (db: Db, id: string) => Promise<Watched<V> | undefined>;
}

export interface WatchOptions {
  readonly id: string;
  /** Sequence of the last entry the watcher has; 0 for none. */
  readonly after: number;
  readonly signal: AbortSignal;
}

/** An entry, the operation as it is now, or both. */
export interface Seen<V> {
  readonly entry?: JournalEntry;
  readonly view?: V;
}

/** Every entry above `after` once, in order; the view with the last entry known, and whenever it changes. */
export async function* watchJournal<V>(deps: WatchDeps<V>, options: WatchOptions): AsyncGenerator<Seen<V>, void, void> {
  const { id, signal } = options;
  const ear = deps.bell.listen(id);
  let position = options.after;
  let shown = "";
  try {
    while (!signal.aborted) {
      const { found, rows } = await readPage(deps, { ...options, after: position });
      if (found === undefined) return;
      position = rows.at(-1)?.sequence ?? position;
      const current = position >= found.lastJournal;
      const text = JSON.stringify(found.view);
      yield* seenOf(rows, current && (rows.length > 0 || text !== shown) ? found.view : undefined);
      if (!current) continue;
      shown = text;
      if (found.ended) return;
      await ear.next(signal);
    }
  } finally {
    ear.close();
  }
}

async function readPage<V>(deps: WatchDeps<V>, { id, after }: WatchOptions) {
  return await deps.store.read(async (db) => {
    const found = await deps.read(db, id);
    if (found !== undefined) checkPosition(after, found.lastJournal);
    return { found, rows: await selectJournal(db, id, { after, limit: PAGE }) };
  });
}

function* seenOf<V>(rows: readonly JournalRow[], view: V | undefined): Generator<Seen<V>, void, void> {
  const last = rows.at(-1);
  for (const row of rows) {
    const entry = fromBinary(JournalEntrySchema, row.entry);
    yield row === last && view !== undefined ? { entry, view } : { entry };
  }
  if (last === undefined && view !== undefined) yield { view };
}

/** Pages of lines above `after`, in order. What was dropped because the log was full is said in a line of `hpsd`. */
export async function* watchLog<V>(
  deps: WatchDeps<V>,
  options: WatchOptions & { readonly follow: boolean },
): AsyncGenerator<readonly LogLineRow[], void, void> {
  const { id, signal, follow } = options;
  const ear = deps.bell.listen(id);
  let position = options.after;
  try {
    while (!signal.aborted) {
      const page = await readLogPage(deps, { ...options, after: position });
      if (page === undefined) return;
      if (page.lines.length > 0) yield withGap(page.lines, position);
      position = page.lines.at(-1)?.sequence ?? position;
      if (position < page.last && page.lines.length > 0) continue;
      if (page.ended || !follow) return;
      await ear.next(signal);
    }
  } finally {
    ear.close();
  }
}

async function readLogPage<V>(deps: WatchDeps<V>, { id, after }: WatchOptions) {
  return await deps.store.read(async (db) => {
    const found = await deps.read(db, id);
    if (found === undefined) return undefined;
    checkPosition(after, found.lastLog);
    const sizes = await selectLogSizes(db, id, { after, limit: LOG_PAGE.lines });
    let bytes = 0;
    const fitting = sizes.filter((line, index) => {
      bytes += line.bytes + 64;
      return index === 0 || bytes <= LOG_PAGE.bytes;
    });
    const lines = await selectLogLines(db, id, { after, last: fitting.at(-1)?.sequence ?? after });
    return { lines, last: found.lastLog, ended: found.ended };
  });
}

/** Lines are numbered without gaps; one means that the log was full and its oldest lines were dropped. */
function withGap(lines: readonly LogLineRow[], after: number): readonly LogLineRow[] {
  const [first] = lines;
  const dropped = first === undefined ? 0 : first.sequence - after - 1;
  if (first === undefined || dropped === 0) return lines;
  const text = Buffer.from(`[${dropped} older lines are no longer kept: the log was full]`);
  return [{ sequence: first.sequence - 1, at: first.at, source: "hpsd", text }, ...lines];
}

function checkPosition(after: number, last: number): void {
  if (after <= last) return;
  throw new HpsError("out-of-range", `there is nothing after ${after} yet: the last is ${last}`, {
    hint: "watch from 0",
  });
}
