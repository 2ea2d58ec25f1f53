import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMac } from "../values/mac.ts";
import { ANY_CHARACTER } from "../values/testing/any-character.ts";
import {
  BEACON_LIMIT,
  BEACON_LOG_BYTES,
  BEACON_PATH,
  BOOT_MAC_ARGUMENT,
  BOOT_URL_ARGUMENT,
  beaconUrl,
  formatBeacon,
  kernelArgument,
  parseBeacon,
} from "./beacon.ts";

const mac = parseMac("52:54:00:00:00:01");

test("whatever an installer has to say goes out short enough and is read back", () => {
  const words = fc.oneof(
    fc.string({ unit: ANY_CHARACTER, maxLength: 9_000 }),
    fc.string({ unit: "grapheme", maxLength: 9_000 }),
  );
  fc.assert(
    fc.property(words, words, words, (step, reason, log) => {
      const body = formatBeacon({ mac, step, reason, log });
      expect(body.length).toBeLessThanOrEqual(BEACON_LIMIT);
      const read = parseBeacon(body);
      expect(step.toWellFormed().startsWith(read.step.replace(/\ufffd$/, ""))).toBe(true);
      expect(log.toWellFormed().endsWith(read.log)).toBe(true);
      expect(Buffer.byteLength(read.log)).toBeLessThanOrEqual(BEACON_LOG_BYTES);
    }),
  );
});

test("a log of control characters alone fits too", () => {
  const { log } = parseBeacon(formatBeacon({ mac, step: "network", reason: "", log: "\u0001".repeat(9_000) }));
  expect(log).toBe("\u0001".repeat(BEACON_LOG_BYTES));
});

test.each([
  ["", "not JSON"],
  ["[]", "the beacon"],
  [JSON.stringify({ mac: "x", step: "", reason: "", log: "" }), "mac"],
  [JSON.stringify({ mac, step: "s".repeat(65), reason: "", log: "" }), "step"],
  [JSON.stringify({ mac, step: "", reason: "", log: "l".repeat(5_000) }), "log"],
  [JSON.stringify({ mac, installation: "../x", step: "", reason: "", log: "" }), "installation"],
  [" ".repeat(BEACON_LIMIT + 1), "longer"],
])("what is no beacon is refused: %.40s", (body, message) => {
  expect(() => parseBeacon(body)).toThrow(message);
});

test("the kernel's command line says where to post, and for which NIC", () => {
  const line = `initrd=a console=tty0 ${BOOT_URL_ARGUMENT}=http://10.0.0.1:7080 console=ttyS0,115200 hps.mac=52:54:00:00:00:01\n`;
  expect(beaconUrl(line)?.href).toBe(`http://10.0.0.1:7080${BEACON_PATH}`);
  expect(kernelArgument(line, BOOT_MAC_ARGUMENT)).toBe(mac);
  expect(kernelArgument(line, "console")).toBe("ttyS0,115200");
  expect(kernelArgument(line, "hps")).toBeUndefined();
  for (const door of ["", "ftp://x", "http://", "http://x:99999999", "http://x/y"]) {
    expect(beaconUrl(`quiet hps.boot=${door}`)).toBeUndefined();
  }
});
