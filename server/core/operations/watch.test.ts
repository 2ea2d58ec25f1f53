import { expect, test } from "vitest";
import { ALICE, openOperations } from "./testing.ts";
import { event, hello, line, plan, started, succeeded, TestStream } from "./testing-agent.ts";

const forever = new AbortController().signal;
type Rig = Awaited<ReturnType<typeof openOperations>>;

/** Every entry's number until the watch ends. */
async function follow(rig: Rig, id: string, after = 0): Promise<{ entries: number[]; states: string[] }> {
  const entries: number[] = [];
  const states: string[] = [];
  for await (const { entry, view } of rig.installations.watch(id, after, forever)) {
    if (entry) entries.push(Number(entry.sequence));
    if (view) states.push(view.state);
  }
  return { entries, states };
}

test("a watch misses nothing and doubles nothing, wherever it begins among concurrent writes", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol");
  const stream = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
  const watches = [follow(rig, id)];
  const lines: number[] = [];
  const log = (async () => {
    for await (const page of rig.installations.watchLog(id, { after: 0, follow: true, signal: forever }))
      lines.push(...page.map(({ sequence }) => sequence));
  })();
  for (let sequence = 2; sequence <= 900; sequence += 3) {
    stream.send(event(sequence, started("a")), line(sequence + 1, "x"), event(sequence + 2, succeeded("a")));
    if (sequence % 60 === 2) {
      await stream.untilAcknowledged(sequence - 30);
      watches.push(follow(rig, id, Math.min(2, sequence)));
    }
  }
  await stream.untilAcknowledged(901);
  await rig.installations.cancel(ALICE, id, "");
  const { lastJournal, lastLog } = await rig.installations.get(id);
  expect(lastJournal).toBe(604);
  const all = Array.from({ length: lastJournal }, (_, index) => index + 1);
  const [first, ...others] = await Promise.all(watches);
  expect(first?.entries).toEqual(all);
  expect(first?.states.at(-1)).toBe("ended");
  for (const { entries } of others) expect(entries).toEqual(all.slice(2));
  await log;
  expect(lines).toEqual(Array.from({ length: lastLog }, (_, index) => index + 1));
});

test("a watcher that does not read holds nobody", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol");
  const slow = rig.installations.watch(id, 0, forever);
  await slow.next();
  const stream = new TestStream(rig.agents, rig.installer(id)).send(hello(), event(1, plan("a")));
  for (let sequence = 2; sequence <= 400; sequence += 1) stream.send(event(sequence, started("a")));
  await stream.untilAcknowledged(400);
  stream.cut();
  let count = 1;
  for await (const { entry } of slow) {
    count += entry ? 1 : 0;
    if (count === 402) break;
  }
});

test("what changes without an entry is shown: an agent that comes and goes", async () => {
  await using rig = await openOperations();
  const id = await rig.opened("enrol");
  const stop = new AbortController();
  const watch = rig.installations.watch(id, 2, stop.signal);
  expect((await watch.next()).value).toMatchObject({ view: { attached: false } });
  const next = watch.next();
  const stream = new TestStream(rig.agents, rig.installer(id)).send(hello());
  expect((await next).value).toMatchObject({ view: { attached: true } });
  const gone = watch.next();
  stream.cut();
  expect((await gone).value).toMatchObject({ view: { attached: false } });
  const last = watch.next();
  stop.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

test("a watch beyond the end is out of range; of what has ended it ends", async () => {
  await using rig = await openOperations();
  const id = await rig.opened();
  await expect(rig.installations.watch(id, 2, forever).next()).rejects.toMatchObject({ code: "out-of-range" });
  const log = rig.installations.watchLog(id, { after: 1, follow: false, signal: forever });
  await expect(log.next()).rejects.toMatchObject({ code: "out-of-range" });
  await rig.installations.disarm(ALICE, rig.hostId);
  expect((await follow(rig, id)).entries).toEqual([1, 2]);
});
