/** Many agents, and one that says too much. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { AttachRequestSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { event, hello, line, plan, type RequestInit, started, succeeded } from "../core/operations/testing-agent.ts";
import { enrolled, startOperationsRig } from "./testing/operations-rig.ts";

type Request = MessageInitShape<typeof AttachRequestSchema>;

/** Sends, and stays until `done` is resolved. */
async function* staying(messages: readonly RequestInit[], done: Promise<unknown>): AsyncGenerator<Request, void, void> {
  for (const message of messages) yield { message };
  await done;
}

const ROUNDS = 10;
const LAST = 1 + 3 * ROUNDS;
const MESSAGES: readonly RequestInit[] = [
  hello(),
  event(1, plan("a")),
  ...Array.from({ length: ROUNDS }, (_, round) => [
    event(3 * round + 2, started("a")),
    line(3 * round + 3, "x"),
    event(3 * round + 4, succeeded("a")),
  ]).flat(),
];

test("200 agents stream at once: each is acknowledged to its end and journalled whole", async () => {
  await using rig = await startOperationsRig();
  const agents = await Promise.all(Array.from({ length: 200 }, () => enrolled(rig)));
  const clients = Array.from({ length: 4 }, () => rig.agents());
  const stay = Promise.withResolvers<void>();
  const run = async (of: (typeof agents)[number], index: number) => {
    const [, ...rest] = MESSAGES;
    const requests = staying([hello(), ...rest], stay.promise);
    const client = clients[index % clients.length] ?? rig.agents();
    for await (const { message } of client.attach(requests, rig.installer(of))) {
      if (message.case === "acknowledgement" && Number(message.value.sequence) === LAST) return;
    }
    throw new Error("the stream ended before all was acknowledged");
  };
  await Promise.all(agents.map(run));
  stay.resolve();
  for (const { installationId } of agents) {
    const { lastJournal, lastLog } = await rig.core.installations.get(installationId);
    expect({ lastJournal, lastLog }).toEqual({ lastJournal: 2 + 1 + 2 * ROUNDS, lastLog: ROUNDS });
  }
  expect(rig.incidents).toEqual([]);
});

test("a flood of log lines is slowed down at its source, and leaves a bounded log", async () => {
  const maxCost = 2 * 1024 * 1024;
  await using rig = await startOperationsRig({ log: { maxCost, slack: maxCost / 8 } });
  const of = await enrolled(rig);
  const text = Buffer.alloc(60 * 1024, "x");
  const count = 600;
  let sent = 0;
  const stay = Promise.withResolvers<void>();
  const flood = (async function* (): AsyncGenerator<Request, void, void> {
    yield { message: hello() };
    for (sent = 1; sent <= count; sent += 1) yield { message: line(sent, text) };
    await stay.promise;
  })();
  const stream = rig.agents().attach(flood, rig.installer(of))[Symbol.asyncIterator]();
  await stream.next();
  // While nothing can be stored, nothing is acknowledged, and no more is taken than fits the buffers on the way.
  const held = rig.core.store.write(async () => await new Promise((resolve) => setTimeout(resolve, 1500)));
  const before = sent;
  await held;
  expect((sent - before) * text.length).toBeLessThan(12 * 1024 * 1024);
  for (let acknowledged = 0; acknowledged < count; ) {
    const { message } = (await stream.next()).value ?? {};
    if (message === undefined) throw new Error("the stream ended");
    if (message.case === "acknowledgement") acknowledged = Number(message.value.sequence);
  }
  stay.resolve();
  const { lastLog } = await rig.core.installations.get(of.installationId);
  expect(lastLog).toBe(count);
  const signal = new AbortController().signal;
  let kept = 0;
  for await (const lines of rig.core.installations.watchLog(of.installationId, { after: 0, follow: false, signal })) {
    kept += lines.reduce((sum, each) => sum + each.text.length, 0);
  }
  expect(kept).toBeLessThan(maxCost);
  expect(kept).toBeGreaterThan(maxCost / 2);
});
