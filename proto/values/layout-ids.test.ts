import { expect, test } from "vitest";
import { diskId, espVolumeId, fileSystemId, PARTITION_ROLES, partitionId } from "./layout-ids.ts";
import { parseUuid } from "./uuid.ts";

const INSTALLATION = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const OTHER = parseUuid("01890a5d-ac96-774b-bcce-b302099a8058");

test("stay as they are: disks are found by them for years", () => {
  expect(diskId(INSTALLATION)).toBe(INSTALLATION);
  expect(partitionId(INSTALLATION, "esp")).toMatchInlineSnapshot(`"0910a1c8-13fe-886f-aff3-53ff873914d3"`);
  expect(fileSystemId(INSTALLATION, "root-a")).toMatchInlineSnapshot(`"a1f38d5f-619a-8f1b-a1ee-be216589970d"`);
  expect(espVolumeId(INSTALLATION)).toMatchInlineSnapshot(`"D029-EAED"`);
});

test("differ between partitions, between a partition and its file system, and between installations", () => {
  const all = [INSTALLATION, OTHER].flatMap((installation) => [
    ...PARTITION_ROLES.map((role) => partitionId(installation, role)),
    fileSystemId(installation, "root-a"),
    fileSystemId(installation, "root-b"),
    espVolumeId(installation),
  ]);
  expect(new Set(all).size).toBe(all.length);
});
