import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseInstallerSet } from "../../proto/config/installer-set.ts";
import { installerSet } from "../lab/artifacts.ts";
import { startProgram } from "../lab/program.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "hps-installer-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MINUTES = 60_000;
const MEGABYTE = 1_000_000;

test("from the same lock come the same bytes, in another folder, without the parts that an earlier build kept", {
  timeout: 15 * MINUTES,
}, async () => {
  const first = await installerSet();
  const [work, cache, out] = ["work", "cache", "out"].map((name) => join(folder, name));
  mkdirSync(work ?? "");
  mkdirSync(join(cache ?? "", "hps"), { recursive: true });
  const debs = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "hps/debs");
  if (existsSync(debs)) symlinkSync(debs, join(cache ?? "", "hps/debs"));
  const words = ["installer-image", "build", "--lock", join(first, "lock.json"), "--out", out ?? ""];
  const program = await startProgram({
    argv: [
      "env",
      `TMPDIR=${work}`,
      `XDG_CACHE_HOME=${cache}`,
      process.execPath,
      join(ROOT, "client/main.ts"),
      ...words,
    ],
  });
  expect(await program.ended, program.output()).toBe(0);
  const [one, other] = [first, out ?? ""].map((set) => readFileSync(join(set, "installer.json"), "utf8"));
  expect(other).toBe(one);
  expect(readFileSync(join(out ?? "", "lock.json"), "utf8")).toBe(readFileSync(join(first, "lock.json"), "utf8"));
  expect(execFileSync("ls", ["-A", work ?? ""]).toString()).toBe("");
});

test("kernel and initramfs stay below 64 MB, the tools image below 24", async () => {
  const set = parseInstallerSet(readFileSync(join(await installerSet(), "installer.json"), "utf8"));
  const size = (name: string) => set.files.find((file) => file.name === name)?.size ?? Number.NaN;
  expect(size("kernel") + size("initrd.img")).toBeLessThan(64 * MEGABYTE);
  expect(size("tools.squashfs")).toBeLessThan(24 * MEGABYTE);
});
