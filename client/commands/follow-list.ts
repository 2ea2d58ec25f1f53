import { setInterval as every } from "node:timers/promises";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { exactJson } from "../output/exact-json.ts";
import { note, type View } from "../output/print.ts";
import { formatTable } from "../output/table.ts";
import { write } from "../output/terminal.ts";
import type { Call } from "./call.ts";

/** Objects of a kind of which hpsd sends no changes are read again this often. */
const INTERVAL_MS = 2000;

export interface Followed<Item> {
  readonly view: View<Item>;
  readonly read: () => Promise<readonly Item[]>;
  /** Says when to look again. Default: every two seconds. */
  readonly ticks?: AsyncIterable<unknown>;
}

/** Prints the objects, then each that is new or changed as it changes, until interrupted: rows of one table, or JSON lines. */
export async function followList<Item>(call: Call, { view, read, ticks }: Followed<Item>): Promise<number> {
  let known = new Map<string, string>();
  let widths: readonly number[] | undefined;
  const show = async (items: readonly Item[]) => {
    if (call.format === "table" || call.format === "wide") {
      const options = { wide: call.format === "wide", header: widths === undefined, ...(widths && { widths }) };
      const table = formatTable(call.terminal, view.columns, items, options);
      widths = table.widths;
      await write(call.terminal.stdout, table.text);
    } else {
      await write(call.terminal.stdout, items.map((item) => lineOf(call, view, item)).join(""));
    }
  };
  const look = async () => {
    const items = await read();
    const now = new Map(items.map((item) => [view.name(item), exactJson(view.json(item))]));
    const fresh = items.filter((item) => known.get(view.name(item)) !== now.get(view.name(item)));
    const gone = [...known.keys()].filter((name) => !now.has(name));
    known = now;
    if (fresh.length > 0) await show(fresh);
    for (const name of gone) await note(call.terminal, `${view.kind} ${name} is gone`);
  };
  await look();
  await untilInterrupted(call, async () => {
    for await (const _tick of ticks ?? interval(call.stream)) await look();
  });
  return 0;
}

/** Ctrl-C is how one leaves something that goes on: no error. The end of the user's own time is called that. */
export async function untilInterrupted(call: Call, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const left = call.terminal.signal.aborted && (isAbort(error) || isCancelled(error));
    if (left) return;
    if (call.globals.timeout === undefined || !isDeadline(error)) throw error;
    throw new HpsError("deadline", "the time given by --timeout is over", { cause: error });
  }
}

function isCancelled(error: unknown): boolean {
  return error instanceof HpsError && error.code === "cancelled";
}

function isDeadline(error: unknown): boolean {
  return error instanceof HpsError && error.code === "deadline";
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function lineOf<Item>(call: Call, view: View<Item>, item: Item): string {
  return call.format === "name" ? `${safeText(view.name(item))}\n` : `${exactJson(view.json(item), 0)}\n`;
}

async function* interval({ signal, timeoutMs }: CallOptions): AsyncGenerator<void, void> {
  const end = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  for await (const _ of every(INTERVAL_MS, undefined, { signal })) {
    if (Date.now() >= end) throw new HpsError("deadline", "the time given by --timeout is over");
    yield;
  }
}
