import { expect, test } from "vitest";
import { selectLastRun } from "../../store/agent-runs.ts";
import { selectJournal } from "../../store/journal.ts";
import { selectLogLines } from "../../store/log-lines.ts";
import { repeat } from "./repeat.ts";
import { DEFAULT_RETENTION, pruneInstallations } from "./retention.ts";
import { ALICE, openOperations } from "./testing.ts";
import { event, hello, line, plan, TestStream } from "./testing-agent.ts";

type Rig = Awaited<ReturnType<typeof openOperations>>;
const going = new AbortController().signal;

async function endedOne(rig: Rig): Promise<string> {
  const id = await rig.opened("enrol");
  const stream = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")), line(2, "x"));
  await stream.untilAcknowledged(2);
  await rig.installations.cancel(ALICE, id, "");
  await stream.ended;
  return id;
}

async function keptOf(rig: Rig, id: string) {
  return await rig.store.read(async (db) => ({
    journal: (await selectJournal(db, id, { after: 0, limit: 100 })).length,
    lines: (await selectLogLines(db, id, { after: 0, last: 100 })).length,
    run: (await selectLastRun(db, `spiffe://example.org/installer/${id}`)) !== undefined,
  }));
}

const prune = (rig: Rig, more: object) =>
  pruneInstallations(
    { ...rig, clock: () => rig.time.now, trustDomain: "example.org" },
    { ...DEFAULT_RETENTION, ...more },
    going,
  );

test("logs go first, then the whole; an open installation keeps all", async () => {
  await using rig = await openOperations();
  const old = await endedOne(rig);
  rig.time.now += 31 * 86_400_000;
  const newer = await endedOne(rig);
  const open = await rig.opened("enrol");
  await prune(rig, {});
  expect(await keptOf(rig, old)).toEqual({ journal: 4, lines: 0, run: true });
  expect(await keptOf(rig, newer)).toEqual({ journal: 4, lines: 1, run: true });
  rig.time.now += 340 * 86_400_000;
  await prune(rig, {});
  expect(await keptOf(rig, old)).toEqual({ journal: 0, lines: 0, run: false });
  expect(await keptOf(rig, newer)).toEqual({ journal: 4, lines: 0, run: true });
  rig.time.now += 10_000 * 86_400_000;
  await prune(rig, { installations: 0 });
  const left = await rig.installations.list({ clusters: "all", limit: 10 });
  expect(left.map(({ id }) => id)).toEqual([open]);
});

test("the newest so many are kept, however young the others are", async () => {
  await using rig = await openOperations();
  const ids = [await endedOne(rig), await endedOne(rig), await endedOne(rig)];
  await prune(rig, { installations: 2 });
  const left = await rig.installations.list({ clusters: "all", limit: 10 });
  expect(left.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
});

test("the installation whose system a host boots is kept for ever, the one before it is not", async () => {
  await using rig = await openOperations();
  const installed = async () => {
    const id = await rig.opened("enrol", "finish", "report");
    rig.time.now += 400 * 86_400_000;
    return id;
  };
  const ids = [await installed(), await installed()];
  await prune(rig, { installations: 0 });
  const left = await rig.installations.list({ clusters: "all", limit: 10 });
  expect(left.map(({ id }) => id)).toEqual([ids[1]]);
});

test("a repeated job survives its failures and stops when told", async () => {
  let runs = 0;
  const errors: unknown[] = [];
  const third = Promise.withResolvers<void>();
  const job = async () => {
    runs += 1;
    if (runs === 3) third.resolve();
    throw new Error(`run ${runs}`);
  };
  const repeated = repeat(job, { everyMs: 1, onError: (error) => errors.push(error) });
  await third.promise;
  await repeated.stop();
  const stopped = runs;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(runs).toBe(stopped);
  expect(errors).toHaveLength(stopped);
});
