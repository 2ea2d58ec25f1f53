import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { neededLibraries, stripped } from "./elf.ts";

const folder = mkdtempSync(join(tmpdir(), "hps-elf-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the libraries a program names are those its loader loads", () => {
  expect(neededLibraries(process.execPath)).toContain("libc.so.6");
  expect(neededLibraries("/bin/sh")).toEqual(["libc.so.6"]);
});

test("Node runs without its symbols, and is smaller", () => {
  const original = readFileSync(process.execPath);
  const file = join(folder, "node");
  writeFileSync(file, stripped(original));
  chmodSync(file, 0o755);
  expect(execFileSync(file, ["-p", "1 + 1"]).toString()).toBe("2\n");
  expect(stripped(original).length).toBeLessThan(original.length);
});

test("what is no ELF file is refused", () => {
  expect(() => stripped(Buffer.from("#!/bin/sh\n".repeat(20)))).toThrow("not an ELF file");
});
