import { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { type Disk, diskText, shellWord } from "./disk-choice.ts";

/** What was found on a disk before anything is written to it. */
export interface DiskContents {
  /** Its GPT, or a copy of it, bears this installation's GUID: an earlier attempt began to write it. */
  readonly own: boolean;
  /** What is on it, in words: `a gpt partition table`, `sda1: ext4`. Empty: nothing that anyone would miss. */
  readonly findings: readonly string[];
  /** Why it cannot be written now: `sda2 is mounted at /mnt`. */
  readonly uses: readonly string[];
}

export interface WipeOrder {
  readonly wipe: boolean;
  readonly wipeSerials: readonly string[];
}

const MOST_FINDINGS = 6;

/** Throws `precondition` unless the disk may be written: it is in use, or holds data and nobody allowed to wipe it. `host` is for the words that allow it. */
export function checkMayWrite(
  disk: Disk,
  { own, findings, uses }: DiskContents,
  { order, host }: { readonly order: WipeOrder; readonly host: string },
): void {
  if (uses.length > 0) {
    throw new HpsError("precondition", `disk ${diskText(disk)} is in use: ${uses.slice(0, MOST_FINDINGS).join(", ")}`, {
      hint: `end that in a shell of this machine, then hpsctl installation retry ${host}`,
    });
  }
  const allowed = order.wipe || (disk.serial !== undefined && order.wipeSerials.includes(disk.serial));
  if (own || findings.length === 0 || allowed) return;
  const named = findings.slice(0, MOST_FINDINGS).join(", ");
  const more = findings.length > MOST_FINDINGS ? ` and ${findings.length - MOST_FINDINGS} more` : "";
  throw new HpsError("precondition", `disk ${diskText(disk)} holds data: ${named}${more}; nothing was written to it`, {
    hint: `to wipe it: hpsctl installation retry ${host} ${wipeWords(disk)}`,
  });
}

/** By serial number, so that no other disk is meant; where there is none, or none that can be typed, whichever is chosen. */
function wipeWords({ serial }: Disk): string {
  return serial === undefined || safeText(serial) !== serial ? "--wipe" : `--wipe-disk ${shellWord(serial)}`;
}
