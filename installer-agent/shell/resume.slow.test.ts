import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { ShellSessions } from "./shell-sessions.ts";
import { startSession, TEST_SHELLS } from "./testing/session-rig.ts";

const sessions = new ShellSessions(TEST_SHELLS);
afterAll(async () => await sessions.close());

function numbersIn(last: number): string {
  return Array.from({ length: last }, (_, index) => `${index + 1}\r\n`).join("");
}

test("however often the stream is cut, hpsd has exactly what the program wrote, once", async () => {
  const cut = fc.record({ after: fc.integer({ min: 0, max: 60_000 }), forgets: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 6 }), async (cuts) => {
      const rig = await startSession([], {}, sessions);
      await rig.type("stty -echo; echo r'eady'\n");
      await rig.shows(/ready/);
      const begin = rig.received();
      let over = false;
      void rig.exit.then(() => {
        over = true;
      });
      void rig.type("seq 60000; exit 0\n");
      for (const { after, forgets } of cuts) {
        const until = rig.received() + after;
        while (rig.received() < until && !over) await Promise.race([rig.hub.changed.rung, rig.exit]);
        // With what was sent and not read.
        if (forgets) rig.pause();
        rig.hub.cut();
        rig.resume();
      }
      expect(await rig.exit).toMatchObject({ code: 0 });
      expect(rig.hub.resumed).not.toEqual([]);
      expect(rig.output().subarray(begin).toString("latin1")).toContain(numbersIn(60_000));
      expect(rig.output().toString("latin1").split(numbersIn(60_000))).toHaveLength(2);
    }),
    { numRuns: 12 },
  );
});
