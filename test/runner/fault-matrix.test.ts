import { expect, test } from "vitest";
import { faultPage } from "./fault-matrix.ts";
import { FAULT_KEYS } from "./faults.ts";

const RUN = { seconds: 12, date: "2026-11-20", commit: "abc1234", machine: "a machine" };

test("a row says how it came out and on which commit; one that was never run says so", () => {
  const page = faultPage({
    "clock-2001": { outcome: "holds", ...RUN },
    "http-boot": { outcome: "**does not hold**", ...RUN },
  });
  const rows = page.split("\n").filter((line) => /^\| (?!done|-)/.test(line));
  expect(rows).toHaveLength(FAULT_KEYS.length);
  expect(rows.find((row) => row.includes("2001"))).toMatch(/\| holds +\| 12 +\| 2026-11-20, abc1234 \|$/);
  expect(rows.find((row) => row.includes("by HTTP, without"))).toContain("| **does not hold** | 12 ");
  expect(rows.find((row) => row.includes("2040"))).toMatch(/\| not run +\| +\| +\|$/);
  expect(page.trimEnd().endsWith("Machine: a machine.")).toBe(true);
});
