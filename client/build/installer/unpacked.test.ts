import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { DebianPackage } from "./apt-root.ts";
import { Unpacked } from "./unpacked.ts";

const folder = mkdtempSync(join(tmpdir(), "hps-unpacked-"));
afterAll(() => rmSync(folder, { recursive: true }));

const named = (name: string): DebianPackage => ({ name, version: "1", architecture: "amd64", sha256: "0".repeat(64) });
const put = (path: string, link?: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  if (link === undefined) writeFileSync(join(folder, path), "x");
  else symlinkSync(link, join(folder, path));
};

test("a file is found with and without /usr, through links into other packages, and never outside of the packages", () => {
  put("libc6/lib/x86_64-linux-gnu/libc.so.6");
  put("libc6/lib64/ld.so", "/lib/x86_64-linux-gnu/libc.so.6");
  put("libfoo/usr/lib/libfoo.so.1", "libfoo.so.1.2");
  put("libfoo/usr/lib/libfoo.so.1.2");
  put("evil/etc/shadow", "/etc/passwd");
  put("evil/etc/up", "../../../../../../etc/passwd");
  put("unused/usr/bin/tool");
  const names = ["libc6", "libfoo", "evil", "unused"].map(named);
  const unpacked = new Unpacked(folder, names);
  expect(unpacked.find("lib64/ld.so")).toBe(join(folder, "libc6/lib/x86_64-linux-gnu/libc.so.6"));
  expect(unpacked.find("lib/libfoo.so.1")).toBe(join(folder, "libfoo/usr/lib/libfoo.so.1.2"));
  expect(unpacked.find("etc/shadow")).toBeUndefined();
  expect(unpacked.find("etc/up")).toBeUndefined();
  expect(() => unpacked.need("usr/bin/none")).toThrow("no file usr/bin/none");
  expect(unpacked.used.map(({ name }) => name)).toEqual(["libc6", "libfoo"]);
});
