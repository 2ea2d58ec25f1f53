import { expect, test } from "vitest";
import { formatInstallerSet, INSTALLER_FILES, type InstallerSet, parseInstallerSet } from "./installer-set.ts";

const set: InstallerSet = {
  format: 1,
  version: "0.1.0",
  files: INSTALLER_FILES.map((name, index) => ({ name, size: index, sha256: String(index).repeat(64) })),
};

test("what is written is read back", () => {
  expect(parseInstallerSet(formatInstallerSet(set))).toEqual(set);
});

test("firmware may be missing, anything else may not", () => {
  const without = (name: string) => ({ ...set, files: set.files.filter((file) => file.name !== name) });
  expect(parseInstallerSet(formatInstallerSet(without("firmware.img"))).files).toHaveLength(6);
  expect(() => parseInstallerSet(formatInstallerSet(without("grub.efi")))).toThrow("every file of an installer");
});

test("a file of another name, a file twice, and what is no JSON are refused", () => {
  const text = formatInstallerSet(set);
  expect(() => parseInstallerSet(text.replace('"kernel"', '"../kernel"'))).toThrow("installer.json");
  expect(() => parseInstallerSet(text.replace('"kernel"', '"initrd.img"'))).toThrow("twice");
  expect(() => parseInstallerSet("{")).toThrow("installer.json is not JSON");
});
