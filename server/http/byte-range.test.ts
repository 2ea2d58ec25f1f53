import { expect, test } from "vitest";
import { byteRangeOf } from "./byte-range.ts";

const ETAG = '"abc"';

test.each([
  [undefined, "whole"],
  ["bytes=0-", "0-99"],
  ["bytes=10-19", "10-19"],
  ["bytes=99-", "99-99"],
  ["bytes=90-1000", "90-99"],
  ["bytes=-10", "90-99"],
  ["bytes=-1000", "0-99"],
  ["bytes=100-", "outside"],
  ["bytes=999999999999999-", "outside"],
  ["bytes=-0", "outside"],
  ["bytes=20-10", "whole"],
  ["bytes=-", "whole"],
  ["bytes=1-2,4-5", "whole"],
  ["lines=1-2", "whole"],
  ["bytes=1e3-", "whole"],
  ["bytes=99999999999999999999-", "whole"],
])("%s of 100 bytes is %s", (range, expected) => {
  const found = byteRangeOf({ range }, 100, ETAG);
  expect(found.kind === "part" ? `${found.first}-${found.last}` : found.kind).toBe(expected);
});

test("a part of the file that the peer has begun, and all of any other", () => {
  expect(byteRangeOf({ range: "bytes=5-", "if-range": ETAG }, 100, ETAG)).toEqual({ kind: "part", first: 5, last: 99 });
  expect(byteRangeOf({ range: "bytes=5-", "if-range": '"old"' }, 100, ETAG)).toEqual({ kind: "whole" });
});

test("of an empty file there is no part", () => {
  for (const range of ["bytes=0-", "bytes=-5"]) expect(byteRangeOf({ range }, 0, ETAG)).toEqual({ kind: "outside" });
});
