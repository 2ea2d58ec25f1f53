import fc from "fast-check";
import { expect, test } from "vitest";
import { HOST_SET_LIMIT, parseHostSet } from "./host-set.ts";

test("a range gives each of its numbers, padded as written", () => {
  fc.assert(
    fc.property(fc.nat(999), fc.nat(99), fc.integer({ min: 0, max: 4 }), (first, more, width) => {
      const from = String(first).padStart(width, "0");
      const to = String(first + more).padStart(from.length, "0");
      fc.pre(to.length === from.length || !from.startsWith("0") || from.length === 1);
      const padded = from.length > 1 && from.startsWith("0") ? from.length : 1;
      const expected = Array.from(
        { length: more + 1 },
        (_, index) => `web${String(first + index).padStart(padded, "0")}`,
      );
      expect(parseHostSet(`web[${from}-${to}]`).names).toEqual(expected);
    }),
  );
});

test("items, brackets and tags add up, each host once", () => {
  const set = parseHostSet("web[01-03], DB[1,3-5],web02,r[1-2]n[8-9]x,@rack=r 1,@edge,@edge");
  expect(set.names).toEqual([
    ...["web01", "web02", "web03", "db1", "db3", "db4", "db5"],
    ...["r1n8x", "r1n9x", "r2n8x", "r2n9x"],
  ]);
  expect(set.tags).toEqual([{ key: "rack", value: "r 1" }, { key: "edge" }]);
});

test("a set is refused before it grows", () => {
  expect(parseHostSet("a[1-10000]").names).toHaveLength(HOST_SET_LIMIT);
  const many = ["a[1-10001]", "a[0-999999999]", "a[1-101]b[1-100]", "a[1-10000],b", `a${"[1-9]".repeat(99)}`];
  for (const text of [...many, `a[${"1-9999,".repeat(5000)}1]`]) {
    expect(() => parseHostSet(text), text.slice(0, 40)).toThrow(/more than 10000 hosts/);
  }
  expect(() => parseHostSet("a,".repeat(40_000))).toThrow(/longer than/);
});

test("what is wrong is named", () => {
  const table: Readonly<Record<string, RegExp>> = {
    "": /empty item/,
    "a,,b": /empty item/,
    "a[1-2": /not a host name/,
    "a]": /not a host name/,
    "a[[1]]": /not a host name/,
    "a\\,b": /not a host name/,
    "'a'": /not a host name/,
    "a[]": /not a host name/,
    "a[5-3]": /backwards/,
    "a[1-]": /not a number/,
    "a[1,,2]": /not a number/,
    "a[01-100]": /padded differently/,
    "a[1-010]": /padded differently/,
    "[1-3]": /would be read as/,
    "@": /tag's key/,
    "a-[1-2]-": /not a host name/,
  };
  for (const [text, reason] of Object.entries(table)) expect(() => parseHostSet(text), text).toThrow(reason);
});
