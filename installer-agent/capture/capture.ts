/** `hps-agent capture`: the tree of a system as a compressed archive, without what belongs to its machine alone. */
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { type ByteString, byteStringOf, showName } from "../../proto/tree/byte-string.ts";
import { errnoOf } from "../../proto/tree/native/call-error.ts";
import { tarOfTree } from "../../proto/tree/walk/tar-of-tree.ts";
import type { WalkOptions } from "../../proto/tree/walk/walk-tree.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { Scrub } from "./scrub.ts";

export interface CaptureOrder {
  readonly root: string;
  /** Patterns of paths, as docs/images.md has them. */
  readonly exclude: readonly string[];
  /** Folders on which other file systems are mounted that belong to the system, beside /boot. */
  readonly mounts: readonly string[];
  /** The tree of a disk that is not running: all of it as it is. */
  readonly whole: boolean;
}

/** The host has other work; the image's frames are compressed anew anyway. */
const LEVEL = 1;

/** Writes the archive to `out`; `say` hears what is not in it, one line each. */
export async function capture(order: CaptureOrder, out: Writable, say: (line: string) => void): Promise<void> {
  const scrub = new Scrub(order.exclude);
  const archive = Readable.from(tarOfTree(order.root, walkOptions(order, scrub, say)));
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  await pipeline(archive, compress, out).catch((error: unknown) => {
    throw readError(order.root, error);
  });
  for (const { why, count } of scrub.leftOut) say(`left out: ${why} (${count})`);
}

function walkOptions({ mounts, whole }: CaptureOrder, scrub: Scrub, say: (line: string) => void): WalkOptions {
  if (whole) return {};
  const entered = new Set(["boot", ...mounts.map((path) => byteStringOf(path.replaceAll(/^\/+|\/+$/g, "")))]);
  const enters = (path: ByteString) => {
    if (entered.has(path)) return true;
    if (!VIRTUAL.has(path)) say(`left out: ${showName(path)}, another file system; --mount enters it`);
    return false;
  };
  return { sameMount: true, live: true, enters, skips: (path, type) => scrub.leavesOut(path, type) };
}

/** What is mounted there is of the kernel or of this start. */
const VIRTUAL: ReadonlySet<string> = new Set(["proc", "sys", "dev", "run", "tmp", "boot/efi", "var/lib/hps"]);

function readError(root: string, error: unknown): unknown {
  const errno = errnoOf(error);
  return errno === undefined
    ? error
    : new HpsError("unavailable", `cannot read the tree at ${quote(root)}: the system says ${errno}`, { cause: error });
}
