import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import { type ByteString, byteString, bytesOf, latin1, showName } from "../../proto/tree/byte-string.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** Something to be copied to a host. */
export interface LocalNode {
  /** Where it lies here. */
  readonly place: ByteString;
  /** What it is called in the archive; `.` for a folder that becomes the destination itself. */
  readonly name: ByteString;
  readonly type: "file" | "directory" | "symlink";
  readonly link: ByteString;
  readonly stat: BigIntStats;
}

export interface LocalTree {
  readonly nodes: readonly LocalNode[];
  /** Of all files. */
  readonly bytes: number;
  /** One sentence for each that is left out. */
  readonly skipped: readonly string[];
}

/**
 * Everything below `path`, folders before what they hold; a link at `path` itself is followed, others are kept. Devices, pipes
 * and sockets, and what may not be read, are left out and named.
 */
export async function localTree(path: string, name: ByteString, recursive: boolean): Promise<LocalTree> {
  const place = byteString(Buffer.from(path));
  const top = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw unreadable(place, error);
  });
  if (top.isDirectory() && !recursive) {
    throw new HpsError("precondition", `${showName(place)} is a folder`, { hint: "add -r" });
  }
  if (!top.isDirectory() && !top.isFile()) {
    throw new HpsError("precondition", `${showName(place)} is neither a file nor a folder`, {
      hint: "send what a device holds through a pipe: hpsctl installer-shell HOST -- sh -c 'cat > FILE' < DEVICE",
    });
  }
  const walk: Walk = { nodes: [], skipped: [] };
  await add(walk, { place: byteString(await realpath(path, { encoding: "buffer" })), name, stat: top });
  const bytes = walk.nodes.reduce((sum, node) => sum + (node.type === "file" ? Number(node.stat.size) : 0), 0);
  return { ...walk, bytes };
}

interface Walk {
  readonly nodes: LocalNode[];
  readonly skipped: string[];
}

type Found = Pick<LocalNode, "place" | "name" | "stat">;

async function add(walk: Walk, found: Found): Promise<void> {
  const { stat: what, place } = found;
  if (what.isFile()) walk.nodes.push({ ...found, type: "file", link: NO_LINK });
  else if (what.isSymbolicLink()) {
    const link = byteString(await readlink(bytesOf(place), { encoding: "buffer" }));
    walk.nodes.push({ ...found, type: "symlink", link });
  } else if (what.isDirectory()) {
    walk.nodes.push({ ...found, type: "directory", link: NO_LINK });
    await addBelow(walk, found);
  } else walk.skipped.push(`${showName(place)} is a device, pipe or socket`);
}

async function addBelow(walk: Walk, { place, name }: Found): Promise<void> {
  let names: ByteString[];
  try {
    names = (await readdir(bytesOf(place), { encoding: "buffer" })).map(byteString).sort();
  } catch (error) {
    walk.skipped.push(unreadable(place, error).message);
    return;
  }
  for (const child of names) {
    const inside = latin1(`${place}/${child}`);
    const called = name === "." ? child : latin1(`${name}/${child}`);
    // A name that is gone by now was in nobody's copy.
    const what = await lstat(bytesOf(inside), { bigint: true }).catch(() => undefined);
    if (what !== undefined) await add(walk, { place: inside, name: called, stat: what });
  }
}

const NO_LINK = latin1("");

/** Why something here cannot be read. */
export function unreadable(place: ByteString, error: unknown): HpsError {
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return new HpsError("not-found", `${showName(place)} is not there`, { cause: error });
  }
  if (errno === "EACCES" || errno === "EPERM") {
    return new HpsError("denied", `you may not read ${showName(place)}`, { cause: error });
  }
  return new HpsError("unavailable", `cannot read ${showName(place)}: ${errno}`, { cause: error });
}
