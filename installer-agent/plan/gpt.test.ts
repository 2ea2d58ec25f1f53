import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { partitionId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { emptyGptHeader, readGptEntries, readGptHeader } from "./gpt.ts";
import { planLayout, sfdiskScript } from "./layout.ts";

const GIB = 1024 ** 3;
const INSTALLATION = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
/** Without which no program looks for a GPT: one partition of type 0xEE. */
const PROTECTIVE_MBR = Buffer.alloc(512);
PROTECTIVE_MBR.writeUInt8(0xee, 450);
PROTECTIVE_MBR.writeUInt32LE(1, 454);
PROTECTIVE_MBR.writeUInt32LE(0xffff_ffff, 458);
PROTECTIVE_MBR.writeUInt16LE(0xaa55, 510);
const layout = planLayout({
  ...{ installation: INSTALLATION, diskBytes: 6 * GIB, sectorBytes: 512 },
  ...{ rootBytes: GIB, contentBytes: 300_000_000, entries: 10_000 },
});

let folder: string;
let disk: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hps-gpt-"));
  disk = join(folder, "disk");
  writeFileSync(disk, "");
  truncateSync(disk, 6 * GIB);
});
afterAll(() => rmSync(folder, { recursive: true }));

const sfdisk = (args: readonly string[], input = "") =>
  execFileSync("/usr/sbin/sfdisk", [...args, disk], { input, encoding: "utf8", timeout: 20_000 });

function headOf(file: string, length: number): Buffer {
  const fd = openSync(file, "r");
  const head = Buffer.alloc(length);
  readSync(fd, head, 0, length, 0);
  closeSync(fd);
  return head;
}

test("what sfdisk makes of the plan is read back as planned, and a table of nothing is made into it", () => {
  const empty = emptyGptHeader(INSTALLATION, { sectorBytes: 512, sectors: (6 * GIB) / 512 });
  expect(readGptHeader(empty)).toMatchObject({ diskId: INSTALLATION, entriesAt: 2, entryCount: 128, entryBytes: 128 });
  writeFileSync(disk, Buffer.concat([PROTECTIVE_MBR, empty]), { flag: "r+" });
  expect(sfdisk(["--dump"])).toContain(`label-id: ${INSTALLATION.toUpperCase()}`);
  sfdisk(["--quiet", "--wipe", "never"], sfdiskScript(layout));
  const head = headOf(disk, 64 * 512);
  const header = readGptHeader(head.subarray(512));
  expect(header?.diskId).toBe(INSTALLATION);
  const partitions = header && readGptEntries(header, head.subarray(1024));
  expect(partitions?.map(({ number, id, name, first, last }) => ({ number, id, name, first, last }))).toEqual(
    layout.partitions.map(({ role, start, sectors: count, id }, index) => ({
      ...{ number: index + 1, id, name: `hps ${role}`, first: start, last: start + count - 1 },
    })),
  );
  expect(partitions?.[0]).toMatchObject({
    id: partitionId(INSTALLATION, "esp"),
    type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  });
  const dump = sfdisk(["--dump"]);
  for (const { id } of layout.partitions) expect(dump).toContain(id.toUpperCase());
});

test("a header or a table that lies is none, and never more than an error of reading", () => {
  const header = emptyGptHeader(INSTALLATION, { sectorBytes: 4096, sectors: 1_000_000 });
  expect(readGptHeader(header)?.diskId).toBe(INSTALLATION);
  fc.assert(
    fc.property(fc.nat(91), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(header);
      changed.writeUInt8(changed.readUInt8(at) ^ change, at);
      expect(readGptHeader(changed)).toBeUndefined();
    }),
  );
  const known = readGptHeader(header);
  expect(known && readGptEntries(known, Buffer.alloc(16_384))).toEqual([]);
  expect(known && readGptEntries(known, Buffer.alloc(16_384, 1))).toBeUndefined();
  expect(known && readGptEntries(known, Buffer.alloc(100))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 512 }), (bytes) => {
      expect(readGptHeader(Buffer.concat([Buffer.from("EFI PART"), bytes]))).toBeUndefined();
    }),
  );
});
