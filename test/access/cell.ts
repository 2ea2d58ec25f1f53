/** One cell: the call, and whether all it did was what the matrix says. */
import type { WhoName } from "./identities.ts";
import type { AuditRow, Rig } from "./rig.ts";
import type { Row, Try } from "./row.ts";
import { until } from "./subject.ts";
import type { Answer } from "./wire.ts";

/** What the letters of the matrix mean: see expected-access.ts. */
export type Cell = "ok" | "-" | "U" | "D" | "d" | "N";

export interface Outcome {
  readonly name: string;
  readonly expected: Cell;
  /** Empty: as expected. */
  readonly problems: readonly string[];
  /** Whether anything but audit was changed, or more than one event came: the object is not what it was. */
  readonly touched: boolean;
}

/** What a call did, as seen from outside. */
interface Seen {
  readonly answer: Answer;
  /** Whether a reply, or the store after it, showed the object. */
  readonly shown: boolean;
  readonly tables: readonly string[];
  readonly events: readonly AuditRow[];
}

export function nameOf(row: Row, who: WhoName): string {
  return `${row.name} by ${who}`;
}

export async function tryCell(row: Row, t: Try, expected: Cell, limitMs?: number): Promise<Outcome> {
  const { rig } = t;
  const tables = rig.book.touched();
  const last = rig.book.last("audit");
  let shown = false;
  const isLast = (reply: Uint8Array) => {
    shown ||= row.shows(reply, t);
    return shown || row.isPast(reply, t);
  };
  const limit = limitMs === undefined ? {} : { limitMs };
  const answer = await t.peer.wire.call({ method: row.method, requests: row.requests(t), isLast, ...limit });
  if (shown || changedTables(rig, tables).length > 0) await until(`${row.name} is over`, () => row.isSettled(t));
  const touched = changedTables(rig, tables);
  const seen = { answer, shown, tables: touched, events: rig.book.eventsAfter(last) };
  const problems = expected === "ok" ? problemsOfSuccess(row, t, seen) : problemsOfRefusal(row, t, seen, expected);
  return {
    ...{ name: nameOf(row, t.who), expected, problems },
    touched: touched.length > 0 || seen.events.some(({ outcome }) => outcome === "allowed"),
  };
}

function changedTables({ book }: Rig, before: ReadonlyMap<string, number>): readonly string[] {
  return [...book.touched()].filter(([name, times]) => times !== before.get(name)).map(([name]) => name);
}

function problemsOfSuccess(row: Row, { who, peer }: Try, { answer, shown, tables, events }: Seen): string[] {
  const problems: string[] = [];
  if (answer.code !== 0) problems.push(`status ${answer.code}: ${answer.message}`);
  if (!shown) problems.push("its effect is not seen");
  if (events.some(({ outcome }) => outcome === "refused")) problems.push("an event says refused");
  if (!row.changes && (tables.length > 0 || events.length > 0)) {
    problems.push(`reading changed ${tables} and made ${events.length} events`);
  }
  const own = events.filter(({ actor, action }) => actor === peer.actor && action === actionOf(row));
  if (row.changes === true && tables.length === 0) problems.push("no table was changed");
  const wanted = row.events(who);
  if (row.changes !== false && own.length !== wanted)
    problems.push(`${own.length} events tell who did it, not ${wanted}`);
  return problems;
}

const STATUS = { "-": 0, U: 16, D: 7, d: 7, N: 5 } as const;

function problemsOfRefusal(row: Row, t: Try, seen: Seen, expected: Exclude<Cell, "ok">): string[] {
  const { answer, shown, tables, events } = seen;
  const problems: string[] = [];
  if (answer.code !== STATUS[expected]) problems.push(`status ${answer.code}: ${answer.message}`);
  if (shown) problems.push("its effect is seen");
  if (expected !== "-" && answer.replies > 0) problems.push("it was answered");
  if (tables.length > 0) problems.push(`it changed ${tables}`);
  const [event] = events;
  const wanted = expected === "-" ? 0 : 1;
  if (events.length !== wanted) problems.push(`${events.length} events, not ${wanted}`);
  if (event !== undefined) problems.push(...problemsOfEvent(row, t, { event, answer }, expected));
  return problems;
}

interface Told {
  readonly event: AuditRow;
  readonly answer: Answer;
}

/** Who was refused what; about which object, where one was looked up; and whether the asker can find it. */
function problemsOfEvent(row: Row, t: Try, { event, answer }: Told, expected: Exclude<Cell, "ok">): string[] {
  const isOfCore = expected === "d" || expected === "N";
  const facts = {
    outcome: [event.outcome, "refused"],
    actor: [event.actor, t.peer.actor],
    action: [event.action, actionOf(row)],
    target: [event.target, isOfCore ? row.target?.(t) : ""],
    cluster: [event.cluster_id, isOfCore && !row.shared ? t.rig.clusters.a : null],
    // An id for what is hidden would tell that it exists.
    "incident told": [answer.details.incident, expected === "N" ? undefined : event.incident],
  };
  return Object.entries(facts).flatMap(([what, [is, should]]) =>
    is === should ? [] : [`${what} ${is}, not ${should}`],
  );
}

function actionOf({ method }: Row): string {
  return `${method.parent.typeName}/${method.name}`;
}
