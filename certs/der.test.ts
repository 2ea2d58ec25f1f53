import fc from "fast-check";
import { expect, test } from "vitest";
import { der, derInteger, derOid, readDer, readInside, TAG } from "./der.ts";

test("values of any length come back", () => {
  const length = fc.oneof(fc.constantFrom(0, 127, 128, 255, 256, 65535, 65536), fc.nat(70_000));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 4 }), (lengths) => {
      const parts = lengths.map((size) => der(TAG.octetString, Buffer.alloc(size, size)));
      const inside = readInside(readDer(der(TAG.sequence, ...parts)), TAG.sequence);
      expect(inside.map((value) => value.raw.equals(parts[inside.indexOf(value)] ?? Buffer.of()))).toEqual(
        lengths.map(() => true),
      );
      expect(inside.map((value) => value.content.length)).toEqual(lengths);
    }),
    { numRuns: 50 },
  );
});

test("integers and object identifiers are written as X.690 says", () => {
  expect(derInteger(0).toString("hex")).toBe("020100");
  expect(derInteger(127).toString("hex")).toBe("02017f");
  expect(derInteger(128).toString("hex")).toBe("02020080");
  expect(derInteger(16384).toString("hex")).toBe("02024000");
  expect(derOid("1.2.840.10045.4.3.2").toString("hex")).toBe("06082a8648ce3d040302");
});

test.each([
  ["", "truncated"],
  ["30", "truncated"],
  ["3001", "truncated"],
  ["3082", "truncated"],
  ["308201", "truncated"],
  ["3080", "unsupported length"],
  ["30840000000100", "unsupported length"],
  ["1f0100", "tag too large"],
  ["308100", "shortest form"],
  ["30820001ff", "shortest form"],
  ["300000", "after the end"],
])("%s is refused: %s", (hex, why) => {
  expect(() => readDer(Buffer.from(hex, "hex"))).toThrow(why);
});

test("any bytes are read or refused as invalid", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        const value = readDer(Buffer.from(bytes));
        expect(value.raw.length).toBe(bytes.length);
        readInside(value, value.tag);
      } catch (error) {
        expect(error).toMatchObject({ name: "HpsError", code: "invalid" });
      }
    }),
    { numRuns: 2000 },
  );
});
