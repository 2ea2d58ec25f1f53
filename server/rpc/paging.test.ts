import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";

const LIST = ["hosts", "lab", "state=armed"];
const start = (pageToken: string, list = LIST) => pageStart({ pageSize: 0, pageToken }, list, ["string", "number"]);

test("0 means 100, much means 1000, less than nothing is invalid", () => {
  const sizes = [0, 1, 1000, 1001, 2 ** 31 - 1].map((pageSize) => pageLimit({ pageSize, pageToken: "" }));
  expect(sizes).toEqual([100, 1, 1000, 1000, 1000]);
  expect(() => pageLimit({ pageSize: -1, pageToken: "" })).toThrow("-1 items");
});

test("a token carries its key", () => {
  expect(start("")).toBeUndefined();
  expect(nextPageToken(undefined, LIST)).toBe("");
  const key = fc.tuple(
    fc.string({ unit: ANY_CHARACTER, maxLength: 200 }).map((text) => text.toWellFormed()),
    fc.maxSafeInteger(),
  );
  fc.assert(
    fc.property(key, (values) => {
      expect(start(nextPageToken(values, LIST))).toEqual(values);
    }),
  );
});

test("a token of another list is refused", () => {
  const token = nextPageToken(["a", 1], LIST);
  expect(() => start(token, ["hosts", "lab", "state=failed"])).toThrow("another list");
  expect(() => start(token, ["hosts", "labstate=armed", ""])).toThrow("another list");
});

test("what we did not make is invalid", () => {
  const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const mark: unknown = JSON.parse(Buffer.from(nextPageToken([], LIST), "base64url").toString())[0];
  const bad = ["x", "====", made({}), made([mark]), made([mark, "a"]), made([mark, "a", "b"]), made([mark, "a", 1.5])];
  for (const token of [...bad, made([mark, 1, "a"]), made([mark, "a", 1, 2]), made([mark, "\ud800", 1])]) {
    expect(() => start(token), token).toThrow("page token");
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json().map(made), fc.base64String()), (token) => {
      if (token !== "") expect(() => start(token)).toThrow("page token");
    }),
  );
});
