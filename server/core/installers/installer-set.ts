import { createHash } from "node:crypto";
import { z } from "zod";
import { HpsError } from "../../../proto/values/hps-error.ts";
import {
  type InstallerFileName,
  NEEDED_INSTALLER_FILES,
  parseInstallerFileName,
} from "../../../proto/values/installer-file.ts";
import { parseShape, textOf } from "../../../proto/values/parsed.ts";
import { parseSha256 } from "../../../proto/values/sha256.ts";
import { parseVersion, type Version } from "../../../proto/values/version.ts";
import type { FileWish } from "../files/incoming-file.ts";

/** A set is small beside an image: two kernels' worth of drivers and firmware. */
const MAX_FILE_BYTES = 2 * 1024 ** 3;

export interface InstallerFile extends FileWish {
  readonly name: InstallerFileName;
}

/** The files that machines boot to be installed, as one thing with one digest. */
export interface InstallerSet {
  /** SHA-256 of its manifest. */
  readonly digest: string;
  readonly version: Version;
  /** In the order of their names. */
  readonly files: readonly InstallerFile[];
}

const manifestSchema = z.strictObject({
  format: z.literal(1),
  version: textOf(parseVersion),
  files: z.array(
    z.strictObject({
      name: textOf(parseInstallerFileName),
      digest: textOf(parseSha256),
      sizeBytes: z.int().min(1).max(MAX_FILE_BYTES),
    }),
  ),
});

/** What an importer says is in a set, in the order it comes. */
export interface InstallerAnnouncement {
  readonly version: string;
  readonly files: readonly { readonly name: string; readonly digest: string; readonly sizeBytes: bigint }[];
}

/** `invalid` for a name that is none of a set's, one that stands twice, and when one is missing without which nothing boots. */
export function parseInstallerOrder({ version, files }: InstallerAnnouncement): InstallerSet & {
  /** In the order their bytes come. */
  readonly order: readonly InstallerFile[];
} {
  const said = files.map(({ sizeBytes, ...file }) => ({ ...file, sizeBytes: Number(sizeBytes) }));
  const manifest = parseShape(manifestSchema, { format: 1, version, files: said }, "the installer");
  const names = manifest.files.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new HpsError("invalid", `the installer has ${twice} twice`);
  const missing = NEEDED_INSTALLER_FILES.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw new HpsError("invalid", `the installer has no ${missing.join(", no ")}`, {
      hint: "build it with hpsctl installer-image build",
    });
  }
  const sorted = manifest.files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const set = { version: manifest.version, files: sorted };
  return { ...set, digest: digestOf(manifestText(set)), order: manifest.files };
}

/** The text whose digest is the set's: the same for the same files, however they were sent. */
export function manifestText({ version, files }: Omit<InstallerSet, "digest">): string {
  const listed = files.map(({ name, digest, sizeBytes }) => ({ name, digest, sizeBytes }));
  return `${JSON.stringify({ format: 1, version, files: listed }, undefined, 2)}\n`;
}

/** Reads a manifest from hpsd's own folder; undefined when it is not the one with this digest. */
export function parseManifest(text: string, digest: string): InstallerSet | undefined {
  if (digestOf(text) !== digest) return undefined;
  const { version, files } = parseShape(manifestSchema, JSON.parse(text), "the installer's manifest");
  return { digest, version, files };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
