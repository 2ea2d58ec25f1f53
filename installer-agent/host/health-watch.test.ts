import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createLog } from "../log.ts";
import type { Health, HealthFacts } from "../plan/health.ts";
import { lookAtHealth, watchHealth } from "./health-watch.ts";

const well: HealthFacts = { disk: undefined, system: { state: "running", failed: [] } };

test("only a change is told, and what cannot be looked at is not healthy", async () => {
  const answers: (HealthFacts | HpsError)[] = [well, well, new HpsError("deadline", "systemctl took too long"), well];
  const told: Health[] = [];
  const stop = new AbortController();
  const read = async () => {
    const next = answers.shift();
    if (next === undefined) throw new HpsError("cancelled", "over");
    if (next instanceof HpsError) throw next;
    return next;
  };
  const first = await lookAtHealth(read, stop.signal);
  expect(first).toMatchObject({ healthy: true });
  const onChange = (health: Health) => {
    told.push(health);
    if (told.length === 2) stop.abort();
  };
  const log = createLog("error", () => undefined);
  await watchHealth(first, { read, onChange, log, startingMs: 1, settledMs: 1 }, stop.signal);
  expect(told.map(({ healthy, reason }) => [healthy, reason])).toEqual([
    [false, "its health cannot be told: systemctl took too long"],
    [true, ""],
  ]);
});
