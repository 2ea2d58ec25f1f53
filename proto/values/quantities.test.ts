import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatSize, parseSize, roundSize } from "./size.ts";
import { formatTime, parseTime, parseTimeOrAgo } from "./time.ts";
import { parseUuid, uuidSource } from "./uuid.ts";
import { compareVersions, parseVersion, versionSkew } from "./version.ts";

test("a size reads back what it writes, exactly", () => {
  const power = fc.tuple(fc.nat(1023), fc.nat(4)).map(([count, exponent]) => count * 1024 ** exponent);
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), power), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
      expect(parseSize(String(bytes))).toBe(bytes);
    }),
  );
  const table = { "10GiB": 10 * 1024 ** 3, "512 MiB": 512 * 1024 ** 2, "1.5T": 1.5 * 1024 ** 4, "0.5KiB": 512 };
  for (const [text, bytes] of Object.entries({ ...table, "1kb": 1000, "1.5MB": 1_500_000, "7B": 7, "0": 0 })) {
    expect(parseSize(text), text).toBe(bytes);
  }
  expect([formatSize(1536), formatSize(2 ** 40), formatSize(1000), formatSize(0)]).toEqual([
    "1536B",
    "1TiB",
    "1000B",
    "0B",
  ]);
  expect([roundSize(1536), roundSize(999), roundSize(1024 ** 2 - 1)]).toEqual(["1.5 KiB", "999 B", "1 MiB"]);
});

test("what is not a whole number of bytes is not a size", () => {
  for (const text of [
    "",
    "-1",
    "1e3",
    "0x10",
    "1.5",
    "0.0001KiB",
    "1 GiB ",
    " 1",
    "1  G",
    "1iB",
    "1XB",
    ".5G",
    "1.G",
    "١",
  ]) {
    expect(() => parseSize(text), text).toThrow(/not a/);
  }
  expect(() => parseSize("8PiB")).toThrow(/more than 8 PiB/);
  expect(parseSize("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
});

test("a duration reads back what it writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 36_500 * 86_400_000 }), (milliseconds) => {
      expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
    }),
  );
  const table = {
    "90s": 90_000,
    "10m": 600_000,
    "1h30m": 5_400_000,
    "30d": 2_592_000_000,
    "250ms": 250,
    "1m1ms": 60_001,
  };
  for (const [text, milliseconds] of Object.entries({ ...table, "0s": 0 }))
    expect(parseDuration(text), text).toBe(milliseconds);
  for (const text of ["", "0", "90", "1.5h", "-1s", "1s1h", "1h1h", "1 h", "1H", "s", "1m\n", "1y"]) {
    expect(() => parseDuration(text), text).toThrow(/not a duration/);
  }
  expect(() => parseDuration("36501d")).toThrow(/hundred years/);
});

test("a time reads back what it writes, in any offset", () => {
  const range = { min: Date.parse("0000-01-02T00:00:00Z"), max: Date.parse("9999-12-30T00:00:00Z") };
  fc.assert(
    fc.property(fc.integer(range), fc.integer({ min: -1439, max: 1439 }), (time, minutes) => {
      expect(parseTime(formatTime(time))).toBe(time);
      const size = Math.abs(minutes);
      const offset = `${minutes < 0 ? "-" : "+"}${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
      expect(parseTime(formatTime(time + minutes * 60_000).replace("Z", offset))).toBe(time);
    }),
  );
  expect(parseTime("2024-02-29 23:59:59.1239z")).toBe(Date.parse("2024-02-29T23:59:59.123Z"));
  const bad = [
    "2023-02-29T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:60Z",
    "2024-01-01T00:00:00",
    "2024-01-01",
  ];
  for (const text of [...bad, "0000-01-01T00:00:00+01:00", "2024-01-01T00:00:00+24:00", "2024-13-01T00:00:00Z", ""]) {
    expect(() => parseTime(text), text).toThrow(/not a time/);
  }
  expect(() => formatTime(Number.NaN)).toThrow(/out|year/);
});

test("since may be a time or a duration ago", () => {
  expect(parseTimeOrAgo("1h30m", 10_000_000)).toBe(4_600_000);
  expect(parseTimeOrAgo("1970-01-01T00:00:01Z", 10_000_000)).toBe(1000);
  for (const text of ["yesterday", "", "5", "10x"]) expect(() => parseTimeOrAgo(text, 0), text).toThrow();
});

test("version 7 UUIDs only grow, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 50 }), (clock) => {
      const ticks = clock.flatMap((tick) => Array.from({ length: 100 }, () => 1_700_000_000_000 + tick));
      const next = uuidSource(() => ticks.shift() ?? 0);
      const made = Array.from({ length: ticks.length }, next);
      expect(made).toEqual([...made].sort());
      expect(new Set(made).size).toBe(made.length);
      for (const uuid of made)
        expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }),
    { numRuns: 20 },
  );
  const next = uuidSource(() => 0x0190_0000_0000);
  const many = Array.from({ length: 10_000 }, next);
  expect(many).toEqual([...new Set(many)].sort());
  expect(many[0]).toMatch(/^01900000-0000-7/);
});

test("a UUID of any version is lower-cased", () => {
  fc.assert(fc.property(fc.uuid(), (uuid) => void expect(parseUuid(uuid.toUpperCase())).toBe(uuid)));
  for (const text of ["", "{01890a5d-ac96-774b-bcce-b302099a8057}", "01890a5dac96774bbcceb302099a8057"]) {
    expect(() => parseUuid(text), text).toThrow(/not a UUID/);
  }
});

test("versions are ordered as numbers, and one minor version back is served", () => {
  const number = fc.nat(20);
  const version = fc.tuple(number, number, number);
  fc.assert(
    fc.property(version, version, (left, right) => {
      const at = left.findIndex((part, index) => part !== right[index]);
      const expected = at < 0 ? 0 : Math.sign((left[at] ?? 0) - (right[at] ?? 0));
      expect(Math.sign(compareVersions(parseVersion(left.join(".")), parseVersion(right.join("."))))).toBe(expected);
    }),
  );
  const server = parseVersion("1.4.2");
  const skews = {
    "1.4.9": "served",
    "1.3.0": "served",
    "1.2.9": "too-old",
    "1.5.0": "too-new",
    "0.4.2": "too-old",
    "2.4.0": "too-new",
  };
  for (const [peer, skew] of Object.entries(skews)) expect(versionSkew(server, parseVersion(peer)), peer).toBe(skew);
  for (const text of ["1.2", "1.2.3.4", "01.2.3", "v1.2.3", "1.2.3-rc1", "1.2.3\n"])
    expect(() => parseVersion(text), text).toThrow();
});
