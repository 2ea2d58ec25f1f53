import { expect, test } from "vitest";
import { parseUuid } from "../../proto/values/uuid.ts";
import { partitionName, planLayout, sfdiskScript } from "./layout.ts";

const GIB = 1024 ** 3;
const ORDER = {
  ...{ installation: parseUuid("01890a5d-ac96-774b-bcce-b302099a8057"), diskBytes: 20 * GIB, sectorBytes: 512 },
  ...{ rootBytes: undefined, contentBytes: 500_000_000, entries: 20_000 },
};

test("the layout of a disk with sectors of 512 bytes", () => {
  expect(sfdiskScript(planLayout(ORDER))).toMatchInlineSnapshot(`
    "label: gpt
    label-id: 01890A5D-AC96-774B-BCCE-B302099A8057
    unit: sectors
    sector-size: 512

    start=2048, size=1048576, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=0910A1C8-13FE-886F-AFF3-53FF873914D3, name="hps esp"
    start=1050624, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=06C4A71D-9576-8902-B6B0-079BE38A60A0, name="hps bios"
    start=1052672, size=2097152, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=73FCE661-320A-8FB8-B145-A7CB7901D332, name="hps boot-a"
    start=3149824, size=2097152, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=E1731E99-246E-8CE7-92E9-94F872204587, name="hps boot-b"
    start=5246976, size=16777216, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=5A83BC50-BA40-84D1-A896-AEBCE7385EBF, name="hps root-a"
    start=22024192, size=16777216, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=81641E70-E60C-83FD-B819-0AFF39CCF329, name="hps root-b"
    start=38801408, size=2097152, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=2857EA0D-31E7-8710-A3B4-EC443E1A50FD, name="hps state"
    "
  `);
});

test("the same bytes on one with sectors of 4096", () => {
  const [small, large] = [planLayout(ORDER), planLayout({ ...ORDER, sectorBytes: 4096 })];
  expect(large.partitions.map(({ start, sectors }) => [start * 8, sectors * 8])).toEqual(
    small.partitions.map(({ start, sectors }) => [start, sectors]),
  );
  expect(sfdiskScript({ ...large, partitions: large.partitions.slice(0, 2) })).toMatchInlineSnapshot(`
    "label: gpt
    label-id: 01890A5D-AC96-774B-BCCE-B302099A8057
    unit: sectors
    sector-size: 4096

    start=256, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=0910A1C8-13FE-886F-AFF3-53FF873914D3, name="hps esp"
    start=131328, size=256, type=21686148-6449-6E6F-744E-656564454649, uuid=06C4A71D-9576-8902-B6B0-079BE38A60A0, name="hps bios"
    "
  `);
});

test("a root file system is twice the image, or as large as asked, on whole MiB", () => {
  const root = (changes: Partial<Parameters<typeof planLayout>[0]>) =>
    (planLayout({ ...ORDER, diskBytes: 200 * GIB, ...changes }).partitions[4]?.sectors ?? 0) * 512;
  expect(root({})).toBe(8 * GIB);
  expect(root({ contentBytes: 10 * GIB + 1 })).toBe(20 * GIB + 1024 ** 2);
  expect(root({ rootBytes: 3 * GIB - 5 })).toBe(3 * GIB);
});

test("too small is said with what there is and what is needed, before anything is done", () => {
  const least = (19.5 * 1024 + 3) * 1024 ** 2;
  expect(() => planLayout({ ...ORDER, diskBytes: least })).not.toThrow();
  expect(() => planLayout({ ...ORDER, diskBytes: least - 512 })).toThrow(
    `the disk is too small: it has 19.5 GiB (${least - 512} bytes), 19.5 GiB (${least} bytes) are needed for an image of 476.8 MiB`,
  );
  expect(() => planLayout({ ...ORDER, rootBytes: 500_000_000 })).toThrow(
    "a root file system of 477MiB cannot hold this image, which needs 755MiB",
  );
});

test("partitions are named as the kernel names them", () => {
  expect(["sda", "nvme0n1", "mmcblk0", "vda", "cciss!c0d0"].map((disk) => partitionName(disk, 3))).toEqual([
    ...["sda3", "nvme0n1p3", "mmcblk0p3", "vda3", "cciss!c0d0p3"],
  ]);
});
