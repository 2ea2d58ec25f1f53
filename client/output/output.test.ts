import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { exactJson } from "./exact-json.ts";
import { type Column, formatFields, formatTable } from "./table.ts";
import { fitText, textWidth } from "./text-width.ts";

const COLUMNS: readonly Column<{ name: string; note: string }>[] = [
  { title: "NAME", text: ({ name }) => name },
  { title: "NOTE", text: ({ note }) => note },
  { title: "MORE", wide: true, text: ({ note }) => note.toUpperCase() },
];

const text = fc.string({ unit: ANY_CHARACTER, maxLength: 300 });
// biome-ignore lint/suspicious/noControlCharactersInRegex: what must never reach a terminal
const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test("a table's lines are aligned, also with wide and combining characters", () => {
  const items = [
    { name: "e\u0301te\u0301", note: "summer" },
    { name: "\u6771\u4eac", note: "" },
    { name: "plain", note: "x".repeat(90) },
  ];
  const { text: table } = formatTable(fakeTerminal(), COLUMNS, items, { wide: false, header: true });
  expect(table).toBe(
    ["NAME   NOTE", "e\u0301te\u0301    summer", "\u6771\u4eac   -", `plain  ${"x".repeat(79)}…`, ""].join("\n"),
  );
});

test("wide adds columns, a begun table keeps its widths, fields stand below each other", () => {
  const [item] = [{ name: "a", note: "b" }];
  if (item === undefined) throw new Error("no item");
  const wide = formatTable(fakeTerminal(), COLUMNS, [item], { wide: true, header: true });
  expect(wide.text).toBe("NAME  NOTE  MORE\na     b     B\n");
  const next = formatTable(fakeTerminal(), COLUMNS, [item], { wide: true, header: false, widths: wide.widths });
  expect(next.text).toBe("a     b     B\n");
  expect(formatFields(fakeTerminal(), COLUMNS, item)).toBe("NAME:  a\nNOTE:  b\nMORE:  B\n");
});

test("no text of any kind gets through a table raw, or breaks a line", () => {
  fc.assert(
    fc.property(text, text, (name, note) => {
      const table = formatTable(fakeTerminal(), COLUMNS, [{ name, note }], { wide: true, header: true }).text;
      expect(table).not.toMatch(RAW);
      expect(table.split("\n")).toHaveLength(3);
    }),
  );
});

test("JSON is read back exactly and holds nothing a terminal obeys", () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (value) => {
      const json = exactJson(value);
      expect(json).not.toMatch(RAW);
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("a fitted text takes no more columns than it may", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 50 }), (value, limit) => {
      const fitted = fitText(value, limit);
      expect(textWidth(fitted)).toBeLessThanOrEqual(limit);
      if (textWidth(value) <= limit) expect(fitted).toBe(value);
    }),
  );
});
