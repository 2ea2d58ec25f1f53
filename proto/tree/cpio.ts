/*
 * cpio "newc" (Linux: Documentation/driver-api/early-userspace/buffer-format.rst), as the kernel unpacks it at boot. The same entries give
 * the same bytes: all belongs to root and has the time 0.
 */

const ALIGNMENT = 4;

export const DIRECTORY = 0o040_755;
export const EXECUTABLE = 0o100_755;
export const READABLE = 0o100_644;
export const SECRET = 0o100_600;
export const LINK = 0o120_777;
export const CHARACTER_DEVICE = 0o020_600;

/** One file, folder, link or device of an archive. */
export interface CpioEntry {
  /** From the root, without a slash before it. */
  readonly path: string;
  /** Type and permissions. */
  readonly mode: number;
  /** What a file holds, or where a link leads. */
  readonly data?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** One entry's bytes, in pieces; `inode` tells it from the archive's others. */
export function cpioEntry({ path, mode, data, device }: CpioEntry, inode: number): readonly Uint8Array[] {
  const content = data ?? new Uint8Array();
  const [uid, gid, time, check] = [0, 0, 0, 0];
  const name = Buffer.from(`${path}\0`);
  const links = mode === DIRECTORY ? 2 : 1;
  const { major = 0, minor = 0 } = device ?? {};
  const fields = [inode, mode, uid, gid, links, time, content.length, 0, 0, major, minor, name.length, check];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), content, paddingOf(content.length)];
}

/** What ends an archive. Another one may follow it. */
export function cpioEnd(): Uint8Array {
  return Buffer.concat(cpioEntry({ path: "TRAILER!!!", mode: 0 }, 0));
}

/** A whole archive of what fits in memory. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap((entry, index) => cpioEntry(entry, index + 1)), cpioEnd()]);
}

/** The folders on the way to `path`, outermost first: an archive names them before what is in them. */
export function foldersTo(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, paddingOf(bytes.length)]);
}

function paddingOf(length: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
