import { expect, test } from "vitest";
import { HostSchema } from "../gen/hps/v1/host_pb.ts";
import { decode, encode } from "./wire.ts";

test("text arrives as it was, or is not sent at all", () => {
  for (const text of ["007", "1.10", "null", '"', "\u0000", "\u202e", "e\u0301", "😀", "x".repeat(70_000)]) {
    expect(decode(HostSchema, encode(HostSchema, { profile: text, tags: { key: text } }))).toMatchObject({
      profile: text,
      tags: { key: text },
    });
  }
  for (const message of [{ profile: "\ud83d" }, { macs: ["a\udc00b"] }, { tags: { key: "\ud800".repeat(100) } }]) {
    expect(() => encode(HostSchema, message)).toThrow("not Unicode");
  }
});
