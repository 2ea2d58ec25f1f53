import { expect, test } from "vitest";
import { InstallationRecord } from "./installation-record.ts";

const now = () => Date.parse("2026-11-20T12:00:00Z");

test("lines and events are kept with their time; progress is not", () => {
  const record = new InstallationRecord(now);
  record.line("storage", "$ sfdisk /dev/vda");
  record.event({ case: "plan", value: { steps: ["clock"] } });
  record.event({ case: "stepProgress", value: { step: "image", done: 1n, total: 2n, unit: "bytes" } });
  record.event({ case: "stepFailed", value: { step: "image", reason: 'it said "no"' } });
  expect(record.log).toBe("2026-11-20T12:00:00.000Z storage: $ sfdisk /dev/vda\n");
  expect(
    record.journal
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { time: "2026-11-20T12:00:00.000Z", event: "plan", steps: ["clock"] },
    { time: "2026-11-20T12:00:00.000Z", event: "stepFailed", step: "image", reason: 'it said "no"' },
  ]);
});

test("of a flood the beginning and the end are kept, and how much is missing", () => {
  const record = new InstallationRecord(now);
  for (let number = 0; number < 60_000; number += 1) record.line("image", `line ${number} ${"x".repeat(100)}`);
  record.line("image", "y".repeat(100_000));
  const { log } = record;
  expect(log.length).toBeLessThan(2.5 * 1024 * 1024);
  expect(log).toContain("line 0 x");
  expect(log).toContain("line 59999 x");
  expect(log).not.toContain("line 20000 x");
  expect(log).toMatch(/… \d+ lines are left out here …\n/);
});
