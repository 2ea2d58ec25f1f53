import { expect, test } from "vitest";
import { HpsError } from "../proto/values/hps-error.ts";
import { createLog, describeError } from "./log.ts";

test("a line is one line, whatever is in it, and only of its level", () => {
  const lines: string[] = [];
  const log = createLog("warn", (line) => lines.push(line.slice(25)));
  log.warn("bad\nnews \x1b[2J", { where: "a b", count: 2, path: "/x/y.z" });
  log.info("not shown");
  expect(lines).toEqual(['warn  bad\\x0anews \\x1b[2J where="a b" count=2 path=/x/y.z\n']);
});

test("an error that is not ours gives away its kind alone", () => {
  expect(describeError(new HpsError("invalid", "no", { hint: "do" }))).toBe("no (do)");
  expect(describeError(new TypeError("secret"))).toBe("internal error: TypeError");
  expect(describeError("secret")).toBe("internal error: string");
});
