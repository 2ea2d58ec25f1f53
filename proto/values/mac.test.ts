import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMac } from "./mac.ts";

const unicast = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map(([first = 0, ...rest]) => [first & 0xfe, ...rest])
  .filter((bytes) => bytes.some((byte) => byte !== 0))
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")));

test("every spelling of one address is the same value", () => {
  fc.assert(
    fc.property(unicast, (pairs) => {
      const canonical = pairs.join(":");
      const hex = pairs.join("");
      const dots = hex.match(/.{4}/g)?.join(".") ?? "";
      for (const spelling of [canonical, canonical.toUpperCase(), pairs.join("-"), dots, hex]) {
        expect(parseMac(spelling)).toBe(canonical);
      }
    }),
  );
});

test("nothing else is an address", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(text.replace(/[^0-9a-fA-F]/g, "").length !== 12);
      expect(() => parseMac(text)).toThrow(/MAC|multicast|zero/);
    }),
  );
  for (const text of ["01:00:5e:00:00:01", "00:00:00:00:00:00", "52:54-00:12:34:56", "52:54:00:12:34:56\n"]) {
    expect(() => parseMac(text)).toThrow();
  }
});
