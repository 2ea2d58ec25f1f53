/** Trees and libraries for tests of unpacking images. */
import { execFileSync, type StdioOptions, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestImage } from "../../installer-agent/testing/image-of-tree.ts";
import { noise } from "../../installer-agent/testing/unpack-rig.ts";

const UNPACKER = join(import.meta.dirname, "unpack-image-here.ts");

/** Puts an image's files into a folder, as `unpack-image-here` reads them. */
export function writeLibrary({ files, contents }: TestImage, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [digest, bytes] of contents) writeFileSync(join(folder, digest), bytes);
  writeFileSync(join(folder, "files.json"), JSON.stringify(files));
}

/** Begins to unpack in a process of its own. */
export function startUnpacking(library: string, root: string) {
  const stdio: StdioOptions = ["ignore", "pipe", "inherit"];
  return spawn(process.execPath, [UNPACKER, library, root], { stdio });
}

/** The same to its end; what it says. */
export function unpackHere(
  library: string,
  root: string,
  olds: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  const argv = [UNPACKER, library, root, ...olds];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: "utf8", timeout: 20 * 60_000 }));
}

/** How a shell unpacks as the step `image` does, with its marker, in a namespace of its own. */
export const RESUME_COMMAND = `'${process.execPath}' '${join(import.meta.dirname, "resume-image-here.ts")}'`;

/** Folders of small files, and a file of several objects. */
export function makeManyFiles(root: string, count: number, bigBytes: number): void {
  mkdirSync(root, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const folder = join(root, `d${index % 37}`, `e${index % 5}`);
    if (index < 185) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${index}`), noise(200 + ((index * 97) % 9000), `${index}`));
  }
  if (bigBytes > 0) writeFileSync(join(root, "big"), noise(bigBytes, "big"));
}
