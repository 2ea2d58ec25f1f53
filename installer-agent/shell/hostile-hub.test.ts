import { expect, test } from "vitest";
import { startSession } from "./testing/session-rig.ts";

test.each([
  ["more than was sent", { case: "recorded", value: 2n ** 64n - 1n }, "hpsd says that 18446744073709552000 bytes are"],
  ["a signal that there is not", { case: "signal", value: 65 }, "no signal 65: 1 to 64"],
  ["a window of no size", { case: "window", value: { rows: 0, columns: 80 } }, "a terminal cannot have 0 rows"],
] as const)("%s ends a terminal with a sentence for hpsd", async (_what, message, reason) => {
  const rig = await startSession();
  await rig.hub.push(message);
  expect(await rig.exit).toMatchObject({ code: 255, reason: expect.stringContaining(reason) });
  await expect.poll(() => rig.sessions.count, { timeout: 5_000 }).toBe(0);
});

test("input beyond what hpsd may send ahead ends the session, terminal or command, though the program reads none", async () => {
  for (const command of [[], ["sleep", "1014"]]) {
    const rig = await startSession(command);
    if (command.length === 0) {
      await rig.type("stty raw -echo; echo re'ad'y; sleep 1015\n");
      await rig.shows(/ready/);
    }
    for (let count = 0; count < 6; count += 1) {
      await rig.hub.push({ case: "input", value: new Uint8Array(128 * 1024) });
    }
    await expect.poll(() => rig.sessions.count, { timeout: 5_000 }).toBe(0);
  }
});

test.each([
  ["below what is kept", (kept: number) => BigInt(Math.max(kept - 1, 0)), "is kept no more"],
  ["beyond what was written", (_kept: number, next: number) => BigInt(next) + 1n, "but the program has written"],
])("a terminal that hpsd wants to go on %s is ended, and hpsd told why", async (_what, answer, reason) => {
  const rig = await startSession();
  await rig.type("seq 20000; echo do'n'e\n");
  await rig.shows(/done/);
  rig.hub.onResume = ({ firstOffset, nextOffset }) => {
    expect(firstOffset).toBeGreaterThan(0n);
    return { case: "recorded", value: answer(Number(firstOffset), Number(nextOffset)) };
  };
  rig.hub.cut();
  expect(await rig.exit).toMatchObject({ code: 255, reason: expect.stringContaining(reason) });
  await expect.poll(() => rig.sessions.count, { timeout: 5_000 }).toBe(0);
});

test("less recorded than before, at once or later, changes nothing", async () => {
  const rig = await startSession();
  await rig.type("seq 20000; echo do'n'e\n");
  await rig.shows(/done/);
  for (const value of [100n, 0n]) await rig.hub.push({ case: "recorded", value });
  await rig.type("exit 3\n");
  expect(await rig.exit).toMatchObject({ code: 3 });
});
