import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { formatFstab, fstabEntries } from "./fstab.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hps-fstab-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the file systems of an installed system", () => {
  const text = formatFstab(fstabEntries(parseUuid("01890a5d-ac96-774b-bcce-b302099a8057")));
  expect(text).toMatchInlineSnapshot(`
    "# Written by the HPS installer. Everything is found by UUIDs that this installation made.
    UUID=a1f38d5f-619a-8f1b-a1ee-be216589970d / ext4 errors=remount-ro 0 1
    UUID=77563d64-26fd-858e-8e50-cc4b7c89f1fd /boot ext4 defaults 0 2
    UUID=D029-EAED /boot/efi vfat umask=0077,nofail 0 2
    UUID=7a7327db-3d01-8142-8cfb-e96dcfed252a /var/lib/hps ext4 nodev,nosuid 0 2
    "
  `);
});

test("libmount reads back every field as it was", () => {
  const text = fc
    .string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 12 })
    .filter((word) => word.isWellFormed() && !word.includes("\0"));
  const entry = fc.record({
    source: text.map((word) => `/dev/${word}`),
    place: text.map((word) => `/mnt/${word.replaceAll("/", "")}x`),
    type: fc.constantFrom("ext4", "vfat"),
    options: fc.constant(["ro", "nofail"]),
    pass: fc.nat(2),
  });
  const file = join(folder, "fstab");
  fc.assert(
    fc.property(fc.array(entry, { minLength: 20, maxLength: 100, size: "max" }), (entries) => {
      writeFileSync(file, formatFstab(entries));
      const args = ["--tab-file", file, "--json", "--output", "SOURCE,TARGET,FSTYPE,OPTIONS"];
      const read = execFileSync("findmnt", args, { encoding: "utf8", timeout: 20_000 });
      expect(JSON.parse(read).filesystems).toHaveLength(entries.length);
      expect(JSON.parse(read).filesystems).toEqual(
        entries.map(({ source, place, type, options }) => ({
          source,
          target: place,
          fstype: type,
          options: options.join(","),
        })),
      );
    }),
    // Few runs of many: starting findmnt takes longest.
    { numRuns: 10 },
  );
});
