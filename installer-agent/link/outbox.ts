import { randomUUID } from "node:crypto";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type AttachMessage, type EventBody, eventMessage, logMessage } from "./attach-messages.ts";

interface EventItem {
  readonly kind: "event";
  readonly time: number;
  readonly bytes: number;
  readonly event: EventBody;
}

interface LogItem {
  readonly kind: "log";
  readonly time: number;
  readonly bytes: number;
  readonly text: Uint8Array<ArrayBuffer>;
  readonly source: string;
}

type Item = EventItem | LogItem;

/** What an item costs beside its text. */
const OVERHEAD = 256;
const LONGEST_LINE = 16_384;
/** What may be on its way: enough to fill a link with 100 ms of commit time. */
const WINDOW_ITEMS = 512;
const WINDOW_BYTES = 1_048_576;

/**
 * Events and log lines of one run until hpsd has them durably. An item gets its number when it is first sent, so what is
 * merged or dropped while it waits leaves no gap; what has a number is kept as it is until it is acknowledged.
 */
export class Outbox {
  readonly #limit: number;
  readonly #window: number;
  readonly #now: () => number;
  #runId = randomUUID();
  /** Everything up to here is acknowledged. */
  #base = 0;
  /** Numbered from `#base + 1`. */
  #sent: Item[] = [];
  #sentBytes = 0;
  /** How many of `#sent` went out on the present stream. */
  #cursor = 0;
  /** In order of arrival; a Set because items leave from the middle. */
  #waiting = new Set<Item>();
  #waitingLogs = new Set<LogItem>();
  readonly #waitingProgress = new Map<string, EventItem>();
  #bytes = 0;
  #droppedLines = 0;
  #plan: EventItem | undefined;
  readonly #listeners = new Set<() => void>();

  /** `limit`: bytes that may wait before the oldest log lines are dropped. Events of steps are few and never dropped. */
  constructor(limit: number, now: () => number = Date.now) {
    this.#limit = limit;
    this.#window = Math.min(WINDOW_BYTES, limit / 2);
    this.#now = now;
  }

  get runId(): string {
    return this.#runId;
  }

  /** Items that hpsd has not acknowledged. */
  get size(): number {
    return this.#sent.length + this.#waiting.size;
  }

  /** Whether hpsd has an event of this kind still to come, when it has everything up to `sequence`; by default, to what it acknowledged. */
  owes(kind: EventBody["case"], sequence = BigInt(this.#base)): boolean {
    const acknowledged = Math.max(Number(sequence) - this.#base, 0);
    const items = [...this.#sent.slice(acknowledged), ...this.#waiting];
    return items.some((item) => item.kind === "event" && item.event.case === kind);
  }

  /** `listener` is told of every new item and acknowledgement, until the function returned is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Progress of a step replaces progress of the same step that has not been sent. */
  event(event: EventBody): void {
    const item: EventItem = { kind: "event", time: this.#now(), bytes: OVERHEAD, event };
    if (event.case === "plan") this.#plan = item;
    if (event.case === "stepProgress") this.#replaceProgress(event.value.step ?? "", item);
    this.#add(item);
  }

  /** One line without its line end, cut after 16 KiB. */
  log(source: string, line: string | Uint8Array): void {
    // A copy: the slice would keep the whole line alive.
    const text = new Uint8Array(Buffer.from(line).subarray(0, LONGEST_LINE));
    const item: LogItem = { kind: "log", time: this.#now(), bytes: text.length + OVERHEAD, text, source };
    this.#waitingLogs.add(item);
    this.#add(item);
    for (const oldest of this.#waitingLogs) {
      if (this.#bytes <= this.#limit || oldest === item) break;
      this.#forget(oldest);
      this.#bytes -= oldest.bytes;
      this.#droppedLines += 1;
    }
  }

  /** The next message for the present stream; undefined when there is none, or too much is on its way. */
  next(): AttachMessage | undefined {
    const item = this.#sent[this.#cursor] ?? this.#numberNext();
    if (item === undefined) return undefined;
    this.#cursor += 1;
    const sequence = BigInt(this.#base + this.#cursor);
    if (item.kind === "event") return eventMessage(sequence, item.time, item.event);
    return logMessage(sequence, item.time, item);
  }

  /** hpsd has everything up to `sequence`. Throws `invalid` for what was never sent. */
  acknowledge(sequence: bigint): void {
    const count = Number(sequence) - this.#base;
    if (count > this.#sent.length) {
      throw new HpsError("invalid", `hpsd acknowledged ${sequence}, but ${this.#base + this.#sent.length} is the last`);
    }
    if (count <= 0) return;
    for (const { bytes } of this.#sent.splice(0, count)) {
      this.#bytes -= bytes;
      this.#sentBytes -= bytes;
    }
    this.#base += count;
    this.#cursor = Math.max(this.#cursor - count, 0);
    this.#notify();
  }

  /**
   * A new stream, for which hpsd says what it has of this run: sending goes on after that. False when hpsd has less than
   * it once acknowledged, as after a restore from a backup: then this run cannot go on.
   */
  resume(acknowledged: bigint): boolean {
    if (acknowledged < this.#base) return false;
    this.acknowledge(acknowledged);
    this.#cursor = 0;
    return true;
  }

  /** A new run: the plan again, the log lines that wait, and none of the steps' events, which hpsd could not place. */
  beginRun(): void {
    const lines = [...this.#sent, ...this.#waiting].filter((item) => item.kind === "log");
    const items = [...(this.#plan === undefined ? [] : [this.#plan]), ...lines];
    this.#runId = randomUUID();
    this.#base = 0;
    this.#sent = [];
    this.#sentBytes = 0;
    this.#cursor = 0;
    this.#waiting = new Set(items);
    this.#waitingLogs = new Set(lines);
    this.#waitingProgress.clear();
    this.#bytes = items.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #add(item: Item): void {
    this.#waiting.add(item);
    this.#bytes += item.bytes;
    this.#notify();
  }

  #replaceProgress(step: string, item: EventItem): void {
    const older = this.#waitingProgress.get(step);
    if (older !== undefined) {
      this.#waiting.delete(older);
      this.#bytes -= older.bytes;
    }
    this.#waitingProgress.set(step, item);
  }

  #numberNext(): Item | undefined {
    const [first] = this.#waiting;
    if (first === undefined || this.#sent.length >= WINDOW_ITEMS || this.#sentBytes >= this.#window) return undefined;
    const item = first.kind === "log" && this.#droppedLines > 0 ? this.#droppedNotice(first) : this.#forget(first);
    this.#sent.push(item);
    this.#sentBytes += item.bytes;
    return item;
  }

  /** Stands where the dropped lines stood: before the oldest that is left. */
  #droppedNotice({ time }: LogItem): LogItem {
    const notice = `${this.#droppedLines} log lines were dropped here: hpsd did not take them in time`;
    this.#droppedLines = 0;
    const text = new Uint8Array(Buffer.from(notice));
    const bytes = text.length + OVERHEAD;
    this.#bytes += bytes;
    return { kind: "log", time, bytes, text, source: "agent" };
  }

  /** No longer waiting. */
  #forget(item: Item): Item {
    this.#waiting.delete(item);
    if (item.kind === "log") this.#waitingLogs.delete(item);
    else if (item.event.case === "stepProgress") {
      const step = item.event.value.step ?? "";
      if (this.#waitingProgress.get(step) === item) this.#waitingProgress.delete(step);
    }
    return item;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
