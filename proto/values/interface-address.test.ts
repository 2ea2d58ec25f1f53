import fc from "fast-check";
import { expect, test } from "vitest";
import { formatInterfaceAddress, parseInterfaceAddress } from "./interface-address.ts";

test("an address and its prefix length, of either kind, and nothing else", () => {
  expect(parseInterfaceAddress("10.0.0.5/24")).toEqual({ address: "10.0.0.5", prefix: 24 });
  expect(parseInterfaceAddress("2001:DB8::5/64")).toEqual({ address: "2001:db8::5", prefix: 64 });
  const wrong = [
    "",
    "10.0.0.5",
    "10.0.0.5/",
    "10.0.0.5/33",
    "10.0.0.5/0",
    "10.0.0.5/024",
    "::1/129",
    "a/8",
    "1.2.3.4/8/8",
  ];
  for (const text of [...wrong, "10.0.0.5/24\n", " 10.0.0.5/24", "fe80::1%eth0/64"])
    expect(() => parseInterfaceAddress(text), text).toThrow();
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 32 }), (address, prefix) => {
      const text = `${address}/${prefix}`;
      expect(formatInterfaceAddress(parseInterfaceAddress(text))).toBe(text);
    }),
  );
});
