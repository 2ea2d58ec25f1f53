import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../../proto/values/testing/any-character.ts";
import { LEASE_SCRIPT, LeaseRecords, parseLeaseRecord, parsePxeLine } from "./lease-event.ts";
import { parseLeaseFile, withoutLeases } from "./lease-file.ts";

const MAC = "52:54:00:12:34:56";
const word = fc.string({ unit: ANY_CHARACTER, maxLength: 60 }).map((text) => text.replaceAll("\0", "").toWellFormed());

function recordOf(words: readonly string[], kind = "add", mac = MAC): Buffer {
  return Buffer.from(
    [kind, mac, "10.77.0.5", "1700000000", ...words]
      .map((field) => `=${field}\0`)
      .join("")
      .concat("\n"),
  );
}

test("records come out whole however the bytes arrive, whatever a client said", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, word, word, word), { maxLength: 8 }),
      fc.integer({ min: 1, max: 50 }),
      (said, step) => {
        const bytes = Buffer.concat(said.map((words) => recordOf(words)));
        const records = new LeaseRecords();
        const events = [];
        for (let at = 0; at < bytes.length; at += step)
          events.push(...records.push(bytes.subarray(at, at + step)).map(parseLeaseRecord));
        expect(events).toEqual(
          said.map(([clientId, hostname, vendorClass, userClass]) => ({
            kind: "add",
            mac: MAC,
            address: "10.77.0.5",
            expiresAt: 1_700_000_000_000,
            client: { clientId, hostname, vendorClass, userClass },
          })),
        );
      },
    ),
  );
});

test("any bytes at all are read without an error, and a good record after them still counts", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(40_000), (junk, length) => {
      const records = new LeaseRecords();
      for (const record of records.push(Buffer.concat([junk, Buffer.alloc(length, 65), Buffer.from("\0\n")])))
        parseLeaseRecord(record);
      expect(records.push(recordOf(["", "", "", ""])).map(parseLeaseRecord)).toMatchObject([{ kind: "add", mac: MAC }]);
    }),
  );
});

test("what is no Ethernet lease of a kind we know is nothing", () => {
  const good = ["", "", "", ""];
  for (const record of [
    recordOf(good, "init"),
    recordOf(good, "add", `06-${MAC}`),
    recordOf(good.slice(1)),
    recordOf([...good, ""]),
  ]) {
    expect(new LeaseRecords().push(record).map(parseLeaseRecord)).toEqual([undefined]);
  }
});

test("the script passes on values as they are", () => {
  const folder = mkdtempSync(join(tmpdir(), "hps-lease-"));
  try {
    const [script, pipe] = [join(folder, "script"), join(folder, "pipe")];
    writeFileSync(script, LEASE_SCRIPT, { mode: 0o755 });
    const said = ["$(id)", "`id`%s%n\\0", "a\nb=c;d'\"", "\u001b[31m*é"];
    const [DNSMASQ_CLIENT_ID, DNSMASQ_SUPPLIED_HOSTNAME, DNSMASQ_VENDOR_CLASS, DNSMASQ_USER_CLASS0] = said;
    const words = { DNSMASQ_CLIENT_ID, DNSMASQ_SUPPLIED_HOSTNAME, DNSMASQ_VENDOR_CLASS, DNSMASQ_USER_CLASS0 };
    const env = { PATH: "/usr/bin:/bin", HPS_LEASE_PIPE: pipe, DNSMASQ_LEASE_EXPIRES: "1700000000", ...words };
    execFileSync(script, ["add", MAC, "10.77.0.5", "name"], { env }); // into a plain file here
    execFileSync(script, ["tftp", "1", "10.77.0.5", "/file"], { env });
    expect(readFileSync(pipe)).toEqual(recordOf(said));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the lease file is read past what is no lease, and loses just what it is told to", () => {
  const text = `1700000000 ${MAC} 10.77.0.5 * 01:${MAC}\n0 52:54:00:00:00:01 10.77.0.6 web *\nduid 00:01\n1 06-aa 10.77.0.7 * *\njunk\n`;
  expect(parseLeaseFile(text)).toEqual([
    { mac: MAC, address: "10.77.0.5", expiresAt: 1_700_000_000_000 },
    { mac: "52:54:00:00:00:01", address: "10.77.0.6", expiresAt: Number.POSITIVE_INFINITY },
  ]);
  expect(withoutLeases(text, () => false)).toBe(text);
  expect(withoutLeases(text, (lease) => lease.mac === MAC)).toBe(text.slice(text.indexOf("\n") + 1));
});

test("only dnsmasq's own PXE line is an answered exchange", () => {
  expect(parsePxeLine(`dnsmasq-dhcp[77]: PXE(br0) ${MAC} proxy`)).toEqual({ kind: "pxe", mac: MAC });
  expect(parsePxeLine(`dnsmasq-dhcp[77]: 123 PXE(br0) 10.77.0.5 ${MAC} undionly.kpxe`)).toEqual({
    kind: "pxe",
    mac: MAC,
  });
  for (const line of [
    `dnsmasq-dhcp[77]: DHCPDISCOVER(br0) ${MAC} PXE(br0) ${MAC}`,
    `x dnsmasq-dhcp[7]: PXE(br0) ${MAC}`,
  ]) {
    expect(parsePxeLine(line)).toBeUndefined();
  }
});
