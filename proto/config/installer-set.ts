import { z } from "zod";
import { HpsError } from "../values/hps-error.ts";
import { parseShape } from "../values/parsed.ts";

/** The file that lists an installer set, beside the others. */
export const INSTALLER_SET_FILE = "installer.json";

/** The files a set may have, in the order they are listed in; firmware.img alone may be missing. */
export const INSTALLER_FILES = [
  "kernel",
  "initrd.img",
  "firmware.img",
  "tools.squashfs",
  "grub.efi",
  "ipxe.efi",
  "undionly.kpxe",
] as const;

const setSchema = z.object({
  format: z.literal(1),
  /** Of the agent in it. */
  version: z.string().min(1).max(64),
  files: z
    .array(
      z.object({
        name: z.enum(INSTALLER_FILES),
        size: z.int().nonnegative(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in hexadecimal"),
      }),
    )
    .refine((files) => new Set(files.map(({ name }) => name)).size === files.length, "names a file twice")
    .refine(
      (files) => INSTALLER_FILES.every((name) => name === "firmware.img" || files.some((file) => file.name === name)),
      "does not name every file of an installer",
    ),
});

/** What `hpsctl installer-image build` made: its version, its files, their sizes and digests. */
export type InstallerSet = z.output<typeof setSchema>;

/** Reads `installer.json`. */
export function parseInstallerSet(text: string): InstallerSet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HpsError("invalid", `${INSTALLER_SET_FILE} is not JSON`, { cause });
  }
  return parseShape(setSchema, value, INSTALLER_SET_FILE);
}

export function formatInstallerSet(set: InstallerSet): string {
  return `${JSON.stringify(set, null, 2)}\n`;
}
