import { expect, test } from "vitest";
import { Rate } from "./rate.ts";
import { runningText } from "./running-text.ts";

const MIB = 1048576n;

/** 200 of 560 MiB, at 2.5 MiB a second. */
function image() {
  const rate = new Rate(0n, 0);
  rate.add(200n * MIB, 80_000);
  return { progress: { done: 200n * MIB, total: 560n * MIB, unit: "bytes" }, rate };
}

test.each([
  [100, "[#######-------------] 35 %  200 of 560 MiB  2.5 MiB/s  2 min 24 s left"],
  [61, "[##---] 35 %  200 of 560 MiB  2.5 MiB/s  2 min 24 s left"],
  [60, "[#######-------------] 35 %  2.5 MiB/s  2 min 24 s left"],
  [45, "[##---] 35 %  2.5 MiB/s  2 min 24 s left"],
  [40, "[#####---------] 35 %  2 min 24 s left"],
  [20, "35 %  2 min 24 s left"],
])("in %d columns", (room, text) => {
  const { progress, rate } = image();
  expect(runningText(progress, rate, room)).toBe(text);
});

test("it does not change its shape while the numbers run, nor grows wider than its room", () => {
  for (let room = 31; room < 90; room += 1) {
    const [total, rate] = [560n * MIB, new Rate(0n, 0)];
    const bars = new Set<number>();
    for (let second = 0; second <= 560; second += 7) {
      const text = runningText({ done: BigInt(second) * MIB, total, unit: "bytes" }, rate, room);
      expect(text.length).toBeLessThanOrEqual(room);
      bars.add(text.indexOf("]"));
      rate.add(BigInt(second) * MIB, second * 1000);
    }
    expect(bars.size).toBe(1);
  }
});

test("where nobody knows how much there is, there is no bar", () => {
  const { rate } = image();
  expect(runningText({ done: 0n, total: 0n, unit: "" }, undefined, 60)).toBe("");
  expect(runningText({ done: 20n * MIB, total: 0n, unit: "bytes" }, rate, 60)).toBe("20 MiB  2.5 MiB/s");
});
