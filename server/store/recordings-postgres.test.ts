import { expect, test } from "vitest";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { insertRemovedRecording, selectEventsAround, selectRecorded, selectRemovedRecording } from "./recordings.ts";

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertRemovedRecording: (tx) => insertRemovedRecording(tx, "s", { removedAt: 1, reason: "old" }),
  selectRemovedRecording: (tx) => selectRemovedRecording(tx, "s"),
  selectRecorded: (tx) => selectRecorded(tx, ["s"]),
  selectEventsAround: (tx) => selectEventsAround(tx, { action: "session.end", target: "host:h", at: 1, withinMs: 1 }),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
