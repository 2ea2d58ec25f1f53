import { expect, test } from "vitest";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { insertSession, selectSession, selectSessionHost, selectSessions, updateSessionEnd } from "./sessions.ts";

const SESSION = {
  ...{ id: "s", hostId: "h", clusterId: "c", host: "h1", operator: "alice" },
  ...{
    command: ["true"],
    reason: "",
    address: "",
    agentRun: "",
    startedAt: 1,
    approver: "",
    endsAt: null,
    idleLimit: 0,
    certificate: "",
    strict: false,
  },
};
const END = { endedAt: 2, exitCode: null, endReason: "", recordingBytes: 0, recordingDigest: "", recorded: true };
const QUERY = { clusters: ["c"], openOnly: true, before: { startedAt: 1, id: "s" }, limit: 1 };

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  selectSessionHost: (tx) => selectSessionHost(tx, "h"),
  insertSession: (tx) => insertSession(tx, SESSION),
  updateSessionEnd: (tx) => updateSessionEnd(tx, "s", END),
  selectSession: (tx) => selectSession(tx, "s"),
  selectSessions: (tx) => selectSessions(tx, QUERY),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
