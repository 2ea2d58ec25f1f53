import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDiskRule } from "../../proto/values/disk-rule.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { chooseDisk, type Disk, diskText, shellWord } from "./disk-choice.ts";
import { checkMayWrite, type DiskContents, type WipeOrder } from "./wipe-permission.ts";

const GIB = 1024 ** 3;
const sda: Disk = { name: "sda", sizeBytes: 100 * GIB, serial: "S1", wwn: "naa.5000c500a1b2c3d4", transport: "sata" };
const sdb: Disk = { name: "sdb", sizeBytes: 500 * GIB, serial: "WD 3\"'\x1b[2J", path: "pci-0000:00:1f.2-ata-2" };
const stick: Disk = { name: "sdc", sizeBytes: 8 * GIB, serial: "U1", removable: true, transport: "usb" };
const choose = (disks: readonly Disk[], rule = "") => chooseDisk(disks, parseDiskRule(rule)).name;

test("the one fixed disk, or the one that the rule means", () => {
  expect(choose([sda, stick])).toBe("sda");
  expect(choose([sda, sdb, stick], "serial=S1")).toBe("sda");
  expect(choose([sda, sdb], "wwn=0x5000C500A1B2C3D4")).toBe("sda");
  expect(choose([sda, sdb], "wwn=naa.5000c500a1b2c3d4")).toBe("sda");
  expect(choose([sda, sdb], "path=pci-0000:00:1f.2-ata-2")).toBe("sdb");
  expect(choose([sda, sdb, stick], "size>=200GB")).toBe("sdb");
  expect(choose([sda, sdb, stick], "smallest")).toBe("sda");
  expect(choose([sda, sdb, stick], "size<=400GiB,largest")).toBe("sda");
  expect(choose([sda, stick], "serial=U1")).toBe("sdc");
});

test("none or more than one: refused, naming the candidates and what to say", () => {
  const refused = (disks: readonly Disk[], rule = "") => {
    try {
      return choose(disks, rule);
    } catch (error) {
      return error instanceof HpsError ? `${error.message} | ${error.hint}` : error;
    }
  };
  expect(refused([sda, sdb, stick])).toMatchInlineSnapshot(
    `"this machine has 2 fixed disks: sda (100 GiB, serial "S1", sata), sdb (500 GiB, serial "WD 3\\"'\\x1b[2J") | say which: hpsctl installation cancel HOST, then hpsctl install HOST --disk serial=S1"`,
  );
  expect(refused([stick])).toMatchInlineSnapshot(
    `"this machine has no fixed disk; it has sdc (8 GiB, serial "U1", usb) | say which: hpsctl installation cancel HOST, then hpsctl install HOST --disk serial=U1"`,
  );
  expect(refused([])).toMatchInlineSnapshot(
    `"this machine has no fixed disk; it has none | see that its controller has a driver"`,
  );
  expect(refused([sda, sdb], "serial=S2")).toMatchInlineSnapshot(
    `"this machine has no disk that the rule serial=S2 means; it has sda (100 GiB, serial "S1", sata), sdb (500 GiB, serial "WD 3\\"'\\x1b[2J") | say which: hpsctl installation cancel HOST, then hpsctl install HOST --disk serial=S1"`,
  );
  expect(refused([sda, { ...sda, name: "sdz" }], "serial=S1")).toMatchInlineSnapshot(
    `"there are 2 disks that the rule serial=S1 means: sda (100 GiB, serial "S1", sata), sdz (100 GiB, serial "S1", sata) | nothing tells them apart: take all but one out"`,
  );
  expect(refused([sdb, { ...sdb, name: "sdd", serial: "S4", path: "p" }], "largest")).toMatchInlineSnapshot(
    `"there are 2 disks that the rule largest means: sdb (500 GiB, serial "WD 3\\"'\\x1b[2J"), sdd (500 GiB, serial "S4") | say which: hpsctl installation cancel HOST, then hpsctl install HOST --disk 'serial="WD 3\\"'\\''\\x1b[2J"'"`,
  );
  const many = Array.from({ length: 9 }, (_, index) => ({ name: `sd${index}`, sizeBytes: GIB }));
  expect(refused(many)).toContain("sd5 (1 GiB, no serial number) and 3 more");
});

test("whatever a disk calls itself, the words that choose it mean it alone", () => {
  const label = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(label, label, (one, two) => {
      fc.pre(one !== two);
      const disks = [one, two].map((serial, index) => ({ name: `sd${index}`, sizeBytes: GIB, serial }));
      try {
        choose(disks);
        expect.unreachable();
      } catch (error) {
        if (!(error instanceof HpsError)) throw error;
        const word = error.hint.slice(error.hint.indexOf("--disk ") + "--disk ".length);
        const rule = word.startsWith("'") ? word.slice(1, -1).replaceAll("'\\''", "'") : word;
        expect(choose(disks, rule)).toBe("sd0");
        expect(diskText({ name: "sd0", sizeBytes: GIB, serial: one })).not.toMatch(/\p{Cc}/u);
      }
    }),
  );
  expect(shellWord("a'b")).toBe("'a'\\''b'");
});

test("a disk that holds data is written only with permission for it, one in use never", () => {
  const contents: DiskContents = { own: false, findings: ["a gpt partition table", "sda1: ext4"], uses: [] };
  const order: WipeOrder = { wipe: false, wipeSerials: [] };
  const check = (changes: Partial<DiskContents>, allowed: Partial<WipeOrder> = {}, disk = sda) =>
    checkMayWrite(disk, { ...contents, ...changes }, { order: { ...order, ...allowed }, host: "c1/web01" });
  expect(() => check({})).toThrow(
    expect.objectContaining({
      message:
        'disk sda (100 GiB, serial "S1", sata) holds data: a gpt partition table, sda1: ext4; nothing was written to it',
      hint: "to wipe it: hpsctl installation retry c1/web01 --wipe-disk S1",
    }),
  );
  expect(() => check({}, { wipeSerials: ["S2"] })).toThrow(/holds data/);
  expect(() => check({}, {}, sdb)).toThrow(expect.objectContaining({ hint: expect.stringMatching(/--wipe$/) }));
  expect(() => check({}, { wipeSerials: ["S1"] })).not.toThrow();
  expect(() => check({}, { wipe: true })).not.toThrow();
  expect(() => check({ own: true })).not.toThrow();
  expect(() => check({ findings: [] })).not.toThrow();
  const used = { uses: ["sda1 is mounted at /mnt"] };
  expect(() =>
    checkMayWrite(sda, { ...contents, ...used, own: true }, { order: { ...order, wipe: true }, host: "h" }),
  ).toThrow(/is in use: sda1 is mounted at/);
});
