import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JournalEntrySchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import type { Tx } from "../../store/database.ts";
import { insertJournal, type JournalRow } from "../../store/journal.ts";
import { insertLogLines, type LogLineRow } from "../../store/log-lines.ts";

export type JournalContent = NonNullable<MessageInitShape<typeof JournalEntrySchema>["entry"]>;

/** Where an operation's journal and log end. */
export interface RecordEnds {
  readonly lastJournal: number;
  readonly lastLog: number;
}

/**
 * What one transaction adds to an operation's journal and log. It counts on from where they ended; the counters are
 * the caller's to store, in the same transaction.
 */
export class OperationRecord {
  readonly #now: number;
  #lastJournal: number;
  #lastLog: number;
  #entries: JournalRow[] = [];
  #lines: LogLineRow[] = [];

  constructor({ lastJournal, lastLog }: RecordEnds, now: number) {
    this.#now = now;
    this.#lastJournal = lastJournal;
    this.#lastLog = lastLog;
  }

  get ends(): RecordEnds {
    return { lastJournal: this.#lastJournal, lastLog: this.#lastLog };
  }

  enter(content: JournalContent): void {
    this.#lastJournal += 1;
    const message = { sequence: BigInt(this.#lastJournal), time: timestampFromMs(this.#now), entry: content };
    const entry = toBinary(JournalEntrySchema, create(JournalEntrySchema, message));
    this.#entries.push({ sequence: this.#lastJournal, at: this.#now, entry });
  }

  log(source: string, text: Uint8Array): void {
    this.#lastLog += 1;
    this.#lines.push({ sequence: this.#lastLog, at: this.#now, source, text });
  }

  /** What is to be stored, and forgotten here. */
  take(tx: Tx, id: string) {
    const statements = [
      ...(this.#entries.length > 0 ? [insertJournal(tx, id, this.#entries)] : []),
      ...(this.#lines.length > 0 ? [insertLogLines(tx, id, this.#lines)] : []),
    ];
    this.#entries = [];
    this.#lines = [];
    return statements;
  }
}
