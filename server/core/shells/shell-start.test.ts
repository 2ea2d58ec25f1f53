import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { CopyDirection, StartSessionSchema } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { parseShellStart } from "./shell-start.ts";

function parse(start: MessageInitShape<typeof StartSessionSchema>) {
  return parseShellStart(create(StartSessionSchema, start));
}

test("without a command it is a terminal, with a size and a type in any case", () => {
  expect(parse({})).toEqual({
    command: [],
    terminal: { term: "xterm", rows: 24, columns: 80 },
    reason: "",
    environment: {},
  });
  expect(parse({ term: "vt100", window: { rows: 5, columns: 6 }, reason: "why" })).toEqual({
    command: [],
    terminal: { term: "vt100", rows: 5, columns: 6 },
    reason: "why",
    environment: {},
  });
});

test("a command has no terminal, and its arguments are as they were", () => {
  expect(parse({ command: ["sh", "-c", "", "Ω"], term: "../x" })).toEqual({
    command: ["sh", "-c", "", "Ω"],
    reason: "",
    environment: {},
  });
});

test("what is typed is recorded only when that is asked for", () => {
  expect(parse({ recordInput: true })).toMatchObject({ recordInput: true });
  expect(parse({ command: ["cat"], recordInput: true })).toMatchObject({ recordInput: true });
  expect(parse({})).not.toHaveProperty("recordInput");
});

test("locale and colours go along, and a copy says where its archive is", () => {
  const start = { command: ["tar", "x"], environment: { LANG: "C.UTF-8" } };
  expect(parse({ ...start, copy: { direction: CopyDirection.TO_HOST } })).toMatchObject({
    environment: { LANG: "C.UTF-8" },
    copy: "to-host",
  });
  expect(parse({ ...start, copy: { direction: CopyDirection.FROM_HOST } })).toMatchObject({ copy: "from-host" });
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
  [{ environment: { PATH: "/tmp" } }, "PATH"],
  [{ copy: { direction: CopyDirection.TO_HOST } }, "needs the command"],
  [{ command: ["tar"], copy: {} }, "no direction"],
  [{ command: ["tar"], copy: { direction: 3 as CopyDirection } }, "no direction"],
])("%j is refused", (start, message) => {
  expect(() => parse(start)).toThrow(message);
});
