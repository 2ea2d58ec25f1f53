import fc from "fast-check";
import { expect, test } from "vitest";
import { drawn, reader } from "./testing/drawn.ts";
import { exit, openShellsRig, output } from "./testing.ts";

/** What programs write: words, lines, colours, places, the other screen. */
const PIECE = fc.oneof(
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[^ -~]/g, "x")),
  fc.constantFrom(
    "\r\n",
    "\x1b[H",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b[m",
    "\x1b[K",
    "\x1b[3;7H",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "日",
    "😀",
  ),
);

test("whenever somebody joins: the screen and what follows it show what the whole output shows", async () => {
  await using rig = await openShellsRig({ limits: { perHost: 1000 } });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(PIECE, fc.boolean()), { minLength: 1, maxLength: 40 }), async (pieces) => {
      const { session, owner, agent } = await rig.open();
      const readers = [reader(owner)];
      let joins = 3;
      for (const [text, joined] of pieces) {
        const shown = agent.receive(output(text));
        // While it is on its way, or after it.
        if (joined) await shown;
        if (joins > 0) {
          joins -= 1;
          readers.push(reader(await rig.attach(session, "bob")));
        }
        await shown;
      }
      await agent.receive(exit(0));
      await Promise.all(readers.map(({ done }) => done));
      const all = await drawn(await rig.file(session, "raw"));
      for (const { bytes } of readers) expect(await drawn(bytes())).toEqual(all);
    }),
    { numRuns: 40 },
  );
});
