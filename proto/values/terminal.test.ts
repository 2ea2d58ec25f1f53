import { expect, test } from "vitest";
import { parseSignal, parseTerminalType, parseWindowSize } from "./terminal.ts";

test.each(["xterm-256color", "vt100", "screen.xterm+x", "a".repeat(64)])("%s is a terminal type", (text) => {
  expect(parseTerminalType(text)).toBe(text);
});

test.each(["", "../xterm", ".x", "x y", "x\n", "x\0", "ä", "a".repeat(65), "x/y"])("%j is none", (text) => {
  expect(() => parseTerminalType(text)).toThrow("not a terminal type");
});

test("a window has 1 to 1000 rows and columns", () => {
  expect(parseWindowSize({ rows: 1, columns: 1000 })).toEqual({ rows: 1, columns: 1000 });
  for (const side of [0, -1, 1001, 1.5, Number.NaN]) {
    expect(() => parseWindowSize({ rows: side, columns: 80 })).toThrow("rows: 1 to 1000");
    expect(() => parseWindowSize({ rows: 24, columns: side })).toThrow("columns: 1 to 1000");
  }
});

test("signals are 1 to 64", () => {
  expect(parseSignal(64)).toBe(64);
  for (const signal of [0, -9, 65, 1.5]) expect(() => parseSignal(signal)).toThrow("1 to 64");
});
