/** hpsd's end of a session as anything at all: each story starts a shell and looks for processes it left, so there are seconds of it. */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { processesOf } from "./process-session.ts";
import { ShellSessions } from "./shell-sessions.ts";
import type { Response } from "./testing/hub-end.ts";
import { type SessionRig, startSession, TEST_SHELLS } from "./testing/session-rig.ts";

/** There are many of them. */
const QUICK = { ...TEST_SHELLS, graceMs: 40 };

const int32 = fc.oneof(fc.integer(), fc.constantFrom(-1, 0, 1, 9, 19, 64, 65, 1000, 1001, 2 ** 31 - 1, -(2 ** 31)));
const uint64 = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 3000n), fc.constant(2n ** 64n - 1n));
const response = fc.oneof(
  fc.record({ case: fc.constant("input" as const), value: fc.uint8Array({ maxLength: 2000 }) }),
  fc.nat(300_000).map((size): Response => ({ case: "input", value: new Uint8Array(size).fill(120) })),
  fc.constant({ case: "endOfInput", value: {} } as const),
  fc.record({ case: fc.constant("window" as const), value: fc.record({ rows: int32, columns: int32 }) }),
  fc.record({ case: fc.constant("signal" as const), value: int32 }),
  fc.record({ case: fc.constant("recorded" as const), value: uint64 }),
  fc.constant({ case: undefined }),
);
const act = fc.oneof(
  { weight: 12, arbitrary: response },
  { weight: 2, arbitrary: fc.constantFrom("cut" as const, "wait" as const, "hang up" as const) },
);
const story = fc.record({ acts: fc.array(act, { maxLength: 25 }), answers: fc.array(response, { maxLength: 4 }) });

async function perform(rig: SessionRig, acts: readonly (Response | "cut" | "wait" | "hang up")[]): Promise<void> {
  for (const one of acts) {
    if (one === "cut") rig.hub.cut();
    else if (one === "hang up") rig.hub.hangUp();
    else if (one === "wait") await sleep(20);
    else await rig.hub.push(one);
  }
}

async function leaderOf(rig: SessionRig): Promise<number> {
  return Number((await rig.shows(/pid=(\d+)\./))[1]);
}

test("whatever hpsd sends a terminal, in whatever order, the agent lives and no process is left", async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ acts, answers }) => {
      const rig = await startSession([], {}, new ShellSessions(QUICK));
      await rig.type("(trap '' HUP; exec sleep 1011) & echo pid=$$.\n");
      const leader = await leaderOf(rig);
      let asked = 0;
      rig.hub.onResume = () => answers[asked++] ?? { case: "recorded", value: BigInt(rig.received()) };
      await perform(rig, acts);
      const other = await startSession(["echo", "well"], {}, rig.sessions);
      expect(await other.exit).toMatchObject({ code: 0 });
      rig.hub.hangUp();
      await rig.sessions.close();
      expect(rig.sessions.count).toBe(0);
      expect(await processesOf(leader)).toEqual([]);
    }),
    { numRuns: 25 },
  );
});

test("whatever hpsd sends a command, in whatever order, the agent lives and no process is left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
      const sessions = new ShellSessions(QUICK);
      const script = "(trap '' HUP; exec sleep 1012) & echo pid=$$.; cat; exec sleep 1013";
      const rig = await startSession(["sh", "-c", script], {}, sessions);
      const leader = await leaderOf(rig);
      await perform(rig, acts);
      rig.hub.hangUp();
      await expect.poll(() => sessions.count, { timeout: 5_000 }).toBe(0);
      expect(await processesOf(leader)).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
