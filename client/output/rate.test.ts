import { expect, test } from "vitest";
import { barText, progressText, Rate, spanText } from "./rate.ts";

test.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [130, "2 min 10 s"],
  [3599, "59 min 59 s"],
  [11_100, "3 h 5 min"],
  [187_200, "2 d 4 h"],
])("%d seconds are %s", (seconds, text) => {
  expect(spanText(seconds)).toBe(text);
});

test("rate and time left follow the count, and nothing is said before it moved", () => {
  const rate = new Rate(0n, 0);
  const at = (done: bigint) => ({ done, total: 100n * 1048576n, unit: "bytes" });
  expect([rate.text("bytes"), rate.left(at(0n))]).toEqual(["", ""]);
  for (let second = 1; second <= 10; second += 1) rate.add(BigInt(second * 1048576), second * 1000);
  expect([rate.text("bytes"), rate.left(at(10n * 1048576n))]).toEqual(["1 MiB/s", "1 min 30 s left"]);
  rate.add(10n * 1048576n, 10_500);
  expect(rate.text("bytes")).toBe("1 MiB/s");
  rate.add(0n, 11_000);
  expect(rate.text("bytes")).not.toContain("-");
  expect(rate.left(at(100n * 1048576n))).toBe("");
});

test.each([
  [0n, 0n, ""],
  [1n, 4n, "[#####---------------] 25 %"],
  [9n, 4n, "[####################] 100 %"],
])("%d of %d is %j", (done, total, text) => {
  expect(barText({ done, total, unit: "files" }, 20)).toBe(text);
});

const MIB = 1048576n;
test.each([
  [0n, 0n, "bytes", ""],
  [512n * MIB, 2048n * MIB, "bytes", "512 MiB of 2 GiB"],
  [1536n * MIB, 2048n * MIB, "bytes", "1.5 of 2 GiB"],
  [0n, 560n * MIB, "bytes", "0 B of 560 MiB"],
  [20n * MIB, 0n, "bytes", "20 MiB"],
  [12n, 30n, "files", "12 of 30 files"],
])("%d of %d %s are %j", (done, total, unit, text) => {
  expect(progressText({ done, total, unit })).toBe(text);
});
