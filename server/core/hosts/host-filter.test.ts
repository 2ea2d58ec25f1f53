import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { ANY_CHARACTER } from "../../../proto/values/testing/any-character.ts";
import { formatHostFilter, parseHostFilter } from "./host-filter.ts";
import { HOST_STATES } from "./life-cycle.ts";

test("the terms of the contract", () => {
  const text = "state=armed  name=web* mac=52:54:00:AB:34:56\tprofile=storage tag.rack=r1 ";
  expect(parseHostFilter(text)).toEqual([
    { field: "state", value: "armed" },
    { field: "name", value: "web*" },
    { field: "mac", value: "52:54:00:ab:34:56" },
    { field: "profile", value: "storage" },
    { field: "tag", key: "rack", value: "r1" },
  ]);
  expect(parseHostFilter("")).toEqual([]);
  expect(parseHostFilter(" \n ")).toEqual([]);
});

test("values are text as it stands: numbers, equal signs, quotes, the empty one", () => {
  expect(
    parseHostFilter(String.raw`tag.a=007 tag.b=x=y tag.c="two \"words\" \\" tag.d= tag.e="" tag.f=ünïcode`),
  ).toEqual([
    { field: "tag", key: "a", value: "007" },
    { field: "tag", key: "b", value: "x=y" },
    { field: "tag", key: "c", value: String.raw`two "words" \ `.trimEnd() },
    { field: "tag", key: "d", value: "" },
    { field: "tag", key: "e", value: "" },
    { field: "tag", key: "f", value: "ünïcode" },
  ]);
});

describe("what is wrong is named", () => {
  test.each([
    ["armed", `"armed"`],
    ["name=web* stat=armed", `"stat"`],
    ["state=sleeping", `"sleeping"`],
    ["state=1", `"1"`],
    ["mac=nonsense", "nonsense"],
    ["name=Web01", `"Web01"`],
    ["name=%", `"%"`],
    ["name=", `""`],
    ["tag.=x", `""`],
    ["tag.Rack=x", `"Rack"`],
    ['profile="open', `"open`],
    ['profile="a"b', `"b`],
    ["profile=a\\b", "not a term"],
    [`profile=${"x".repeat(4096)}`, "4096 characters"],
    ["name=a ".repeat(33), "32 terms"],
    ["profile=\ud800", "Unicode"],
    ["toString=x", `"toString"`],
  ])("%j", (text, part) => {
    expect(() => parseHostFilter(text)).toThrow(HpsError);
    expect(() => parseHostFilter(text)).toThrow(part.replaceAll('"', ""));
  });
});

const value = fc.string({ unit: ANY_CHARACTER, maxLength: 40 }).map((text) => text.toWellFormed());
const term = fc.oneof(
  fc.record({ field: fc.constant("state" as const), value: fc.constantFrom(...HOST_STATES) }),
  fc.record({ field: fc.constant("name" as const), value: fc.stringMatching(/^[a-z0-9*-]{1,63}$/) }),
  fc.record({ field: fc.constant("profile" as const), value }),
  fc.record({
    field: fc.constant("tag" as const),
    key: fc.stringMatching(/^[a-z]([a-z0-9._/-]{0,9}[a-z0-9])?$/),
    value,
  }),
);

test("whatever is written is read back", () => {
  fc.assert(
    fc.property(fc.array(term, { maxLength: 8 }), (terms) => {
      expect(parseHostFilter(formatHostFilter(terms))).toEqual(terms);
    }),
  );
});

test("any text gives terms or an invalid error, quickly", () => {
  const soup = fc.array(fc.constantFrom("state=", "tag.", "name=", '"', "\\", "=", " ", "a", "*", "\n", "\u202e"));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: ANY_CHARACTER }),
        soup.map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          expect(parseHostFilter(text).length).toBeLessThanOrEqual(32);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid" });
        }
      },
    ),
    { numRuns: 500 },
  );
});
