import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { StartSessionSchema } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { parseShellStart } from "./shell-start.ts";

function parse(start: MessageInitShape<typeof StartSessionSchema>) {
  return parseShellStart(create(StartSessionSchema, start));
}

test("without a command it is a terminal, with a size and a type in any case", () => {
  expect(parse({})).toEqual({ command: [], terminal: { term: "xterm", rows: 24, columns: 80 }, reason: "" });
  expect(parse({ term: "vt100", window: { rows: 5, columns: 6 }, reason: "why" })).toEqual({
    command: [],
    terminal: { term: "vt100", rows: 5, columns: 6 },
    reason: "why",
  });
});

test("a command has no terminal, and its arguments are as they were", () => {
  expect(parse({ command: ["sh", "-c", "", "Ω"], term: "../x" })).toEqual({
    command: ["sh", "-c", "", "Ω"],
    reason: "",
  });
});

test.each([
  [{ term: "a b" }, "not a terminal type"],
  [{ window: { rows: 0, columns: 80 } }, "rows"],
  [{ window: { rows: 24, columns: 1001 } }, "columns"],
  [{ command: [""] }, "no program"],
  [{ command: ["a", "b\0c"] }, "zero byte"],
  [{ command: Array.from({ length: 1025 }, () => "x") }, "1025 arguments"],
  [{ command: ["x".repeat(65_536)] }, "65537 bytes"],
  [{ reason: "x".repeat(1025) }, "reason"],
])("%j is refused", (start, message) => {
  expect(() => parse(start)).toThrow(message);
});
