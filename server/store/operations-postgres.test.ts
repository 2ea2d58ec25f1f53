import { describe, expect, test } from "vitest";
import { deleteAgentRuns, insertAgentRun, selectAgentRun, selectLastRun, updateAgentRun } from "./agent-runs.ts";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { selectForgettable } from "./ended-installations.ts";
import {
  deleteInstallation,
  insertInstallation,
  selectInstallation,
  selectInstallationFacts,
  selectInstallersInUse,
  selectNamedInstallations,
  selectOpenOf,
  selectOverdue,
  updateInstallation,
} from "./installations.ts";
import { selectHostSayings, selectInstalledHost, selectLastSucceeded, updateHostReport } from "./installed-host.ts";
import { insertJournal, selectJournal } from "./journal.ts";
import {
  deleteEndedLogLines,
  deleteLogLines,
  insertLogLines,
  logCost,
  selectLogLines,
  selectLogSizes,
} from "./log-lines.ts";
import type { Tables } from "./schema/tables.ts";
import { replaceSteps, type StepRow, selectSteps, updateStep } from "./steps.ts";

const INSTALLATION = {
  ...{
    id: "i",
    hostId: "h",
    clusterId: "c",
    state: "armed",
    image: "",
    imageDigest: "",
    wipeDiskSerials: [],
    armedBy: "a",
  },
  ...{ storage: { disk: "", rootSizeBytes: 0, wipe: false }, rescue: false },
  ...{ windowEndAt: 1, createdAt: 1 },
};
const STEP: StepRow = {
  ...{ name: "image", state: "pending", attempt: 0, done: 0, total: 0, unit: "", reason: "" },
  ...{ startedAt: null, endedAt: null },
};
const QUERY = { clusters: ["c"], hostId: "h", openOnly: true, id: "i", before: "j", limit: 1 };
const LINE = { sequence: 1, at: 1, source: "agent", text: new Uint8Array([1]) };

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertInstallation: (tx) => insertInstallation(tx, INSTALLATION),
  selectInstallation: (tx) => selectInstallation(tx, "i"),
  selectOpenOf: (tx) => selectOpenOf(tx, "h"),
  selectNamedInstallations: (tx) => selectNamedInstallations(tx, QUERY),
  selectInstallationFacts: (tx) => selectInstallationFacts(tx, "i"),
  updateInstallation: (tx) => updateInstallation(tx, "i", { state: "armed", factsJson: null, lastLog: 2 }).execute(),
  selectInstallersInUse: (tx) => selectInstallersInUse(tx),
  selectOverdue: (tx) => selectOverdue(tx, { now: 1, states: ["armed"], limit: 1 }),
  selectLastSucceeded: (tx) => selectLastSucceeded(tx, "h"),
  selectForgettable: (tx) => selectForgettable(tx, { at: 1, keep: 1, limit: 1 }),
  deleteInstallation: (tx) => deleteInstallation(tx, "i"),
  selectSteps: (tx) => selectSteps(tx, "i"),
  replaceSteps: (tx) => tx.batch(replaceSteps(tx, "i", [STEP])),
  updateStep: (tx) => updateStep(tx, "i", STEP).execute(),
  insertJournal: (tx) => insertJournal(tx, "i", [{ sequence: 1, at: 1, entry: new Uint8Array() }]).execute(),
  selectJournal: (tx) => selectJournal(tx, "i", { after: 0, limit: 1 }),
  insertLogLines: (tx) => insertLogLines(tx, "i", [LINE]).execute(),
  logCost: (tx) => logCost(tx, "i"),
  selectLogSizes: (tx) => selectLogSizes(tx, "i", { after: 0, limit: 1 }),
  selectLogLines: (tx) => selectLogLines(tx, "i", { after: 0, last: 1 }),
  deleteLogLines: (tx) => deleteLogLines(tx, "i", 1),
  deleteEndedLogLines: (tx) => deleteEndedLogLines(tx, 1, 1),
  selectAgentRun: (tx) => selectAgentRun(tx, "r"),
  selectLastRun: (tx) => selectLastRun(tx, "a"),
  insertAgentRun: (tx) => insertAgentRun(tx, { runId: "r", identity: "a", lastSequence: 0, startedAt: 1 }, 8),
  updateAgentRun: (tx) => updateAgentRun(tx, "r", 1).execute(),
  deleteAgentRuns: (tx) => deleteAgentRuns(tx, "a"),
  selectHostSayings: (tx) => selectHostSayings(tx, "h"),
  selectInstalledHost: (tx) => selectInstalledHost(tx, "h"),
  updateHostReport: (tx) => updateHostReport(tx, "h", { installedAt: null, bootJson: "{}", updatedAt: 1 }),
};

describe("PostgreSQL understands", () => {
  test.each(Object.entries(QUERIES))("%s", async (_, query) => {
    const compiled = await compileForPostgres<Tables>(query, [
      [{ id: "i", run_id: "r", wipe_json: "[]", lacks_json: "[]" }],
    ]);
    expect(compiled.length).toBeGreaterThan(0);
  });
});
