import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cpioArchive, DIRECTORY, EXECUTABLE, foldersTo, LINK, READABLE } from "./cpio.ts";

const folder = mkdtempSync(join(tmpdir(), "hps-cpio-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("cpio unpacks files, folders and links with their modes, all of the time 0", () => {
  const archive = cpioArchive([
    { path: "bin", mode: DIRECTORY },
    { path: "bin/tool", mode: EXECUTABLE, data: Buffer.from("#!/bin/sh\n") },
    { path: "bin/name", mode: LINK, data: Buffer.from("tool") },
    { path: "empty", mode: READABLE },
  ]);
  execFileSync("cpio", ["-idm", "--quiet", "--no-absolute-filenames"], { cwd: folder, input: archive });
  const stat = lstatSync(join(folder, "bin/tool"));
  expect([stat.mode, stat.mtimeMs, stat.uid]).toEqual([EXECUTABLE, 0, process.getuid?.()]);
  expect(readFileSync(join(folder, "bin/tool"), "utf8")).toBe("#!/bin/sh\n");
  expect(readlinkSync(join(folder, "bin/name"))).toBe("tool");
  expect(lstatSync(join(folder, "empty")).size).toBe(0);
});

test("a device is told by its numbers", () => {
  const archive = cpioArchive([{ path: "console", mode: 0o020_600, device: { major: 5, minor: 1 } }]);
  const list = execFileSync("cpio", ["-tv", "--quiet"], { input: archive }).toString();
  expect(list).toMatch(/^crw-------\s+1 root\s+root\s+5,\s+1 .* console$/m);
});

test("the folders on the way come outermost first", () => {
  expect(foldersTo("a/b/c")).toEqual(["a", "a/b"]);
  expect(foldersTo("a")).toEqual([]);
});
