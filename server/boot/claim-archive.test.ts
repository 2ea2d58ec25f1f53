import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CLAIM_PATH, claimArchive } from "./claim-archive.ts";

test("cpio unpacks it: one secret file with exactly these bytes", () => {
  const folder = mkdtempSync(join(tmpdir(), "hps-claim-"));
  try {
    let round = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (claim) => {
        const into = join(folder, String(round++));
        const archive = claimArchive(claim);
        expect(archive.length % 4).toBe(0);
        execFileSync("mkdir", [into]);
        execFileSync("cpio", ["-idm", "--quiet", "--no-absolute-filenames"], { cwd: into, input: archive });
        expect(readFileSync(join(into, CLAIM_PATH))).toEqual(Buffer.from(claim));
        expect(statSync(join(into, CLAIM_PATH)).mode & 0o7777).toBe(0o600);
      }),
      { numRuns: 20 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("it holds the folders on the way and nothing else", () => {
  const list = execFileSync("cpio", ["-tv", "--quiet"], { input: claimArchive(Buffer.from("{}")) }).toString();
  const lines = list
    .trim()
    .split("\n")
    .map((line) => `${line.split(" ")[0]} ${line.split(" ").at(-1)}`);
  expect(lines).toEqual(["drwxr-xr-x etc", "drwxr-xr-x etc/hps", "-rw------- etc/hps/claim.json"]);
});
