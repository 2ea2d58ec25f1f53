import fc from "fast-check";
import { expect, test } from "vitest";
import { type DiskRule, formatDiskRule, parseDiskRule } from "./disk-rule.ts";
import { HpsError } from "./hps-error.ts";
import { ANY_CHARACTER } from "./testing/any-character.ts";

test("reads what an operator writes", () => {
  const rules: Record<string, DiskRule> = {
    "": {},
    "serial=S4X1": { serial: "S4X1" },
    "wwn=naa.5000c500a1b2c3d4": { wwn: "naa.5000c500a1b2c3d4" },
    "path=pci-0000:00:1f.2-ata-1": { path: "pci-0000:00:1f.2-ata-1" },
    "size>=200GB": { atLeast: 200_000_000_000 },
    " size>=1GiB,size<=2GiB,smallest ": { atLeast: 2 ** 30, atMost: 2 ** 31, pick: "smallest" },
    largest: { pick: "largest" },
    'serial="WD 12,\\"3\\"\\\\\\x1b[2J\\u202e"': { serial: 'WD 12,"3"\\\x1b[2J\u202e' },
  };
  for (const [text, rule] of Object.entries(rules)) expect(parseDiskRule(text), text).toEqual(rule);
});

test("refuses everything else, with how to write it", () => {
  const texts = [
    "serial",
    "serial=",
    'serial=""',
    "serial=a b",
    "sda",
    "size=5GB",
    "size>=big",
    "smallest,",
    ",smallest",
  ];
  for (const text of [
    ...texts,
    "smallest largest",
    'serial="a',
    'serial="\\n"',
    "smallest=1",
    "\ud800",
    "x".repeat(5000),
  ])
    expect(() => parseDiskRule(text), text).toThrow(HpsError);
  expect(() => parseDiskRule("serial=a,serial=b")).toThrow("says serial twice");
  expect(() => parseDiskRule("smallest,largest")).toThrow(/twice/);
});

test("every serial number a disk may bear comes back as it was", () => {
  const label = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 128 }).filter((text) => text.isWellFormed());
  const rule = fc.record(
    {
      serial: label,
      wwn: label,
      path: label,
      atLeast: fc.maxSafeNat(),
      pick: fc.constantFrom("smallest" as const, "largest" as const),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(rule, (value) => {
      expect(parseDiskRule(formatDiskRule(value))).toEqual(value);
    }),
  );
  const garbage = fc.oneof(
    fc.string(),
    fc.string().map((text) => `serial=${text}`),
  );
  fc.assert(
    fc.property(garbage, (text) => {
      try {
        parseDiskRule(text);
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
      }
    }),
  );
});
