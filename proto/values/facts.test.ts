import fc from "fast-check";
import { expect, test } from "vitest";
import { newClaimToken, parseClaimToken } from "./claim-token.ts";
import {
  FACTS_HEADER_LIMIT,
  formatFactsHeader,
  identityFacts,
  parseFacts,
  parseFactsHeader,
  parseFactsJson,
} from "./facts.ts";
import { HpsError } from "./hps-error.ts";
import { ANY_CHARACTER } from "./testing/any-character.ts";

const word = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
const mac = fc
  .nat(0xffff)
  .map(
    (tail) => `52:54:00:00:${(tail >> 8).toString(16).padStart(2, "0")}:${(tail & 255).toString(16).padStart(2, "0")}`,
  );
const facts = fc.record(
  {
    macs: fc.array(mac, { minLength: 1, maxLength: 8 }),
    uuid: fc.uuid(),
    serial: word,
    vendor: word,
    product: word,
    memoryBytes: fc.maxSafeNat(),
    cpus: fc.nat(512),
    firmware: fc.constantFrom("bios", "uefi"),
    interfaces: fc.array(
      fc.record({ name: fc.constant("eth0"), mac, up: fc.boolean(), addresses: fc.array(fc.ipV4()) }),
      { maxLength: 4 },
    ),
    disks: fc.array(fc.record({ name: fc.constant("sda"), sizeBytes: fc.maxSafeNat(), serial: word }), {
      maxLength: 4,
    }),
  },
  { requiredKeys: ["macs", "interfaces", "disks"] },
);

test("facts come through the header and the file as they were", () => {
  fc.assert(
    fc.property(facts, (value) => {
      const parsed = parseFacts(value);
      expect(parsed).toEqual(value);
      expect(parseFactsHeader(formatFactsHeader(parsed))).toEqual(parsed);
      expect(parseFactsJson(JSON.stringify(parsed))).toEqual(parsed);
    }),
  );
});

test("keys it does not know are dropped, and none reaches a prototype", () => {
  const text =
    '{"macs":["525400000001"],"colour":"red","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},' +
    '"disks":[{"name":"sda","sizeBytes":1,"__proto__":{"serial":"x"}}]}';
  const parsed = parseFactsJson(text);
  expect(parsed).toEqual({ macs: ["52:54:00:00:00:01"], interfaces: [], disks: [{ name: "sda", sizeBytes: 1 }] });
  expect(parsed.disks[0]?.serial).toBeUndefined();
  expect("polluted" in {}).toBe(false);
});

test("every length and count has a bound", () => {
  const macs = ["52:54:00:00:00:01"];
  const wrong = [
    {},
    null,
    [],
    { macs: [] },
    { macs: Array.from({ length: 65 }, () => macs[0]) },
    { macs: ["01:00:5e:00:00:01"] },
    { macs, serial: "" },
    { macs, serial: "x".repeat(129) },
    { macs, serial: "\ud800" },
    { macs, serial: null },
    { macs, cpus: -1 },
    { macs, cpus: 1.5 },
    { macs, memoryBytes: 2 ** 53 },
    { macs, firmware: "coreboot" },
    { macs, uuid: "none" },
    { macs, interfaces: [{ name: "a b" }] },
    { macs, disks: [{ name: "sda", sizeBytes: "1" }] },
    { macs, disks: Array.from({ length: 1025 }, () => ({ name: "sda", sizeBytes: 1 })) },
  ];
  for (const value of wrong) expect(() => parseFacts(value), JSON.stringify(value).slice(0, 80)).toThrow(HpsError);
});

test("a header that is too long, or not what it should be, is refused", () => {
  const disks = Array.from({ length: 200 }, (_, index) => ({
    name: `sd${index}`,
    sizeBytes: 2 ** 40,
    serial: "s".repeat(20),
  }));
  const many = parseFacts({ macs: ["52:54:00:00:00:01"], disks });
  expect(() => formatFactsHeader(many)).toThrow(/header holds 8192/);
  expect(parseFactsHeader(formatFactsHeader(identityFacts(many))).disks).toEqual([]);
  expect(() => parseFactsHeader("A".repeat(FACTS_HEADER_LIMIT + 1))).toThrow(/longer than/);
  expect(() => parseFactsHeader("e30=")).toThrow(/not base64url/);
  expect(() => parseFactsHeader("_w")).toThrow(/not UTF-8/);
  expect(() => parseFactsHeader("e3")).toThrow(/base64url|JSON/);
  expect(() => parseFactsHeader("e30")).toThrow(/facts: macs/);
});

test("garbage of any kind is refused with an HpsError alone", () => {
  const attempt = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      expect(error).toBeInstanceOf(HpsError);
    }
  };
  fc.assert(fc.property(fc.jsonValue(), (value) => attempt(() => parseFacts(value))));
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => attempt(() => parseFactsHeader(Buffer.from(bytes).toString("base64url")))),
  );
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => attempt(() => parseFactsJson(text))));
  for (const text of ["[".repeat(100_000), '{"macs":'.repeat(50_000)]) attempt(() => parseFactsJson(text));
});

test("a claim token is 32 bytes in one spelling, and its error keeps the secret", () => {
  const token = newClaimToken();
  expect(parseClaimToken(token)).toBe(token);
  expect(newClaimToken()).not.toBe(token);
  const other = `${token.slice(0, 42)}B`;
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom(other, `${token}=`, token.slice(1), ` ${token}`)), (text) => {
      expect(() => parseClaimToken(text)).toThrow(/^the claim token is not (32 bytes of )?base64url$/);
    }),
  );
});
