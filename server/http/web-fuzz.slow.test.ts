import fc from "fast-check";
import { expect, test } from "vitest";
import { Line, openWebDoorRig, START } from "./web-testing.ts";

const count = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 24, 80, 1000, 2 ** 53, null, "24", [], {}));
const control = fc.record(
  {
    type: fc.constantFrom("start", "window", "ack", "detach", "end", "admit", "session", "__proto__", "", 7),
    ...{ rows: count, columns: count, bytes: count, write: fc.oneof(fc.boolean(), count) },
    participant: fc.oneof(fc.uuid(), fc.string()),
  },
  { requiredKeys: ["type"] },
);
const frame = fc.oneof(
  { weight: 6, arbitrary: control.map((message) => JSON.stringify(message)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ maxLength: 2000 }) },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40_000 }).map((bytes) => Buffer.from(bytes)) },
);

test("whatever a page sends, in whatever order: it goes on or is told why not, and the door goes on", async () => {
  await using rig = await openWebDoorRig();
  let closed = 0;
  const attack = async (frames: readonly (string | Buffer)[], starts: boolean) => {
    const line = await rig.knock(await rig.ticket());
    if (!(line instanceof Line)) throw new Error(line.body);
    const end = line.closed.then(() => "closed");
    if (starts) line.say(START);
    for (const each of frames) line.socket.send(each);
    const ping = new Promise((resolve) => setTimeout(() => resolve("open"), 20));
    if ((await Promise.race([end, ping])) === "closed") {
      closed += 1;
      expect(line.last).toMatchObject({ type: "error" });
    }
    line.socket.close();
    await end;
  };
  const frames = fc.array(frame, { minLength: 1, maxLength: 12 });
  await fc.assert(fc.asyncProperty(frames, fc.boolean(), attack), { numRuns: 80 });
  expect(closed).toBeGreaterThan(10);
  // What broke beside the page would have thrown: see the rig. And nobody's session was kept.
  await expect.poll(() => rig.web.count).toBe(0);
  for (const { events } of rig.sessions) expect(events.at(-1)).toMatch(/^left: /);
  const { line, session } = await rig.open();
  line.socket.send(Buffer.from("still here"));
  await expect.poll(() => session.input).toMatchObject([{ value: Buffer.from("still here") }]);
});
