import { expect, test } from "vitest";
import { startSession } from "./testing/session-rig.ts";

const LAST = 100_000;

test("much that a terminal shows goes in few messages, whole and in order, and its end is not kept back", async () => {
  const rig = await startSession([]);
  await rig.shows(/[$#] $/);
  const before = rig.hub.outputs.length;
  await rig.type(`stty -echo; seq ${LAST}; exit 3\n`);
  expect(await rig.exit).toMatchObject({ code: 3 });
  const shown = Buffer.concat(rig.hub.outputs.slice(before)).toString();
  const numbers = Array.from({ length: LAST }, (_, index) => `${index + 1}\r\n`).join("");
  expect(shown).toContain(numbers);
  // 4 kB at a time as the terminal gives it would be 170.
  expect(rig.hub.outputs.length - before).toBeLessThan(shown.length / 8192);
  await rig.sessions.close();
});
