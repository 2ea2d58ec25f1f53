import { expect, test } from "vitest";
import { type BiosBootFacts, planBiosBoot, refuseUnstartable } from "./bios-boot.ts";

/** A boot.img and a core.img of 3 sectors and 9 bytes, with what grub-mkimage writes where these matter and 0xee elsewhere. */
function facts(changes: Partial<BiosBootFacts> = {}): BiosBootFacts {
  const bootImage = Buffer.alloc(512, 0xee);
  bootImage.writeBigUInt64LE(1n, 0x5c);
  bootImage.writeUInt16BE(0xeb05, 0x66);
  const coreImage = Buffer.alloc(3 * 512 + 9, 0xee);
  coreImage.writeBigUInt64LE(2n, 0x1f4);
  coreImage.writeUInt16LE(3, 0x1fc);
  coreImage.writeUInt16LE(0x820, 0x1fe);
  const firstSector = Buffer.alloc(512, 0x77);
  return {
    ...{ bootImage, coreImage, firstSector, sectorBytes: 512, partitionStart: 1_050_624, partitionBytes: 1_048_576 },
    ...changes,
  };
}

/** `OFFSET:OLD>NEW` of each byte that differs. */
function differences(before: Uint8Array, after: Uint8Array): string[] {
  const hex = (byte = 0) => byte.toString(16).padStart(2, "0");
  return [...after].flatMap((byte, at) =>
    byte === (before[at] ?? 0) ? [] : [`${at.toString(16)}:${hex(before[at])}>${hex(byte)}`],
  );
}

test("it changes what grub-bios-setup 2.06 changes, and no other byte", () => {
  // Seen with `grub-bios-setup --no-rs-codes` on a disk whose BIOS boot partition begins at sector 1050624 (0x100800).
  const { bootImage, coreImage } = facts();
  const { bootRecord, core } = planBiosBoot(facts());
  const written = Buffer.concat([bootRecord.subarray(0, 0x1b8), bootImage.subarray(0x1b8)]);
  expect(differences(bootImage, written)).toEqual(["5c:01>00", "5d:00>08", "5e:00>10", "66:eb>90", "67:05>90"]);
  expect(differences(coreImage, core)).toEqual(["1f4:02>01", "1f5:00>08", "1f6:00>10"]);
  expect(core.length).toBe(4 * 512);
});

test("disk signature and partition table stay", () => {
  const { bootRecord } = planBiosBoot(facts());
  expect(bootRecord.subarray(0x1b8, 0x1fe).every((byte) => byte === 0x77)).toBe(true);
  expect(bootRecord.readUInt16LE(0x1fe)).toBe(0xaa55);
});

test("a sector beyond 2 TiB is written whole", () => {
  const { bootRecord, core } = planBiosBoot(facts({ partitionStart: 0x1_2345_6789 }));
  expect(bootRecord.readBigUInt64LE(0x5c)).toBe(0x1_2345_6789n);
  expect(core.readBigUInt64LE(0x1f4)).toBe(0x1_2345_678an);
});

test("what cannot start is refused", () => {
  expect(() => planBiosBoot(facts({ sectorBytes: 4096 }))).toThrow("sectors of 4096 bytes");
  expect(() => planBiosBoot(facts({ partitionBytes: 1024 }))).toThrow("do not fit");
  expect(() => planBiosBoot(facts({ coreImage: Buffer.alloc(2000) }))).toThrow("not what grub-mkimage writes");
  expect(() => planBiosBoot(facts({ coreImage: Buffer.alloc(0) }))).toThrow("not what grub-mkimage writes");
});

test("a disk that this machine could never start is refused before it is touched", () => {
  refuseUnstartable("uefi", { name: "nvme0n1", sectorBytes: 4096 });
  refuseUnstartable("bios", { name: "vda", sectorBytes: 512 });
  refuseUnstartable("bios", { name: "vda" });
  for (const firmware of ["bios", undefined] as const) {
    expect(() => refuseUnstartable(firmware, { name: "nvme0n1", sectorBytes: 4096 })).toThrow(
      "a BIOS cannot start the disk nvme0n1, whose sectors have 4096 bytes",
    );
  }
});
