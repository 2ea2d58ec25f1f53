import { expect, test } from "vitest";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { verdictOn } from "./attach-verdict.ts";

const verdict = (code: ErrorCode, details: Record<string, string> = {}) =>
  verdictOn(new HpsError(code, "x", { details }));

test("what ended is over, what passes is tried soon, all else later", () => {
  expect(verdict("unauthenticated", { reason: "revoked" })).toBe("over");
  expect(verdict("unauthenticated", { reason: "ended" })).toBe("over");
  expect(verdict("precondition", { state: "ended", reason: "wrong rack" })).toBe("over");
  expect(verdict("precondition", { outcome: "cancelled" })).toBe("over");
  expect(verdict("precondition", { state: "frozen", outcome: "open" })).toBe("later");
  for (const reason of ["unknown", "suspended", "expired", "not-yet-valid", "untrusted"]) {
    expect(verdict("unauthenticated", { reason })).toBe("later");
  }
  expect(verdict("aborted")).toBe("later");
  expect(verdict("invalid")).toBe("new-run");
  for (const code of ["unavailable", "deadline", "internal", "cancelled"] as const) expect(verdict(code)).toBe("again");
  expect(verdictOn(new TypeError("x"))).toBe("again");
});
