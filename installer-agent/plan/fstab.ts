import { espVolumeId, fileSystemId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";

/** One line of fstab(5). */
export interface FstabEntry {
  readonly source: string;
  readonly place: string;
  readonly type: string;
  readonly options: readonly string[];
  /** Order of the check at boot; 0: none. */
  readonly pass: number;
}

/** The file systems of an installed system, slot a. */
export function fstabEntries(installation: Uuid): readonly FstabEntry[] {
  const ext4 = { type: "ext4", pass: 2 };
  const uuid = (role: "root-a" | "boot-a" | "state") => `UUID=${fileSystemId(installation, role)}`;
  return [
    { ...ext4, source: uuid("root-a"), place: "/", options: ["errors=remount-ro"], pass: 1 },
    { ...ext4, source: uuid("boot-a"), place: "/boot", options: ["defaults"] },
    {
      source: `UUID=${espVolumeId(installation)}`,
      place: "/boot/efi",
      type: "vfat",
      options: ["umask=0077", "nofail"],
      pass: 2,
    },
    { ...ext4, source: uuid("state"), place: "/var/lib/hps", options: ["nodev", "nosuid"] },
  ];
}

/** The text of the file. Every field comes back from libmount as it was. */
export function formatFstab(entries: readonly FstabEntry[]): string {
  const lines = entries.map(({ source, place, type, options, pass }) =>
    [source, place, type, options.join(",") || "defaults", "0", `${pass}`].map(field).join(" "),
  );
  return [
    "# Written by the HPS installer. Everything is found by UUIDs that this installation made.",
    ...lines,
    "",
  ].join("\n");
}

/** Octal for what separates fields and lines, begins a comment, or begins an escape (getmntent(3)). */
function field(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (character) =>
    [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
  );
}
