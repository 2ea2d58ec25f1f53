import { expect, test } from "vitest";
import { HpsError } from "../values/hps-error.ts";
import { receivedError, sentError } from "./sent-error.ts";

const sent = (error: unknown) => receivedError(structuredClone(sentError(error, "it ended by a defect")));

test("an error of ours is the same on the other side, with what was under it for the log", () => {
  const under = new Error("EIO");
  const error = new HpsError("exhausted", "no room", { hint: "make some", details: { of: "x" }, cause: under });
  expect(sent(error)).toMatchObject({ code: "exhausted", message: "no room", hint: "make some", details: { of: "x" } });
  expect(sent(error).cause).toMatchObject({ message: expect.stringContaining("EIO") });
  expect(sent(error)).toBeInstanceOf(HpsError);
});

test("what any other error says, nobody but the log reads", () => {
  for (const error of [new TypeError("a secret"), "a secret"]) {
    const received = sent(error);
    expect(received).toMatchObject({ code: "internal", message: "it ended by a defect" });
    expect(`${received.message} ${received.hint} ${JSON.stringify(received.details)}`).not.toContain("secret");
  }
  expect(sent(new TypeError("a secret")).cause).toMatchObject({ message: expect.stringContaining("a secret") });
});
