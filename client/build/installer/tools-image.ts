import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LINK } from "../../../proto/tree/cpio.ts";
import { TERMINALS, TOOL_NAMES, TOOLS } from "./package-list.ts";
import { librariesOf, unpackedCommand } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import { copy, symlink as linkTo, type StagedFile, withFolders } from "./staged-file.ts";
import type { Unpacked } from "./unpacked.ts";

const PERMISSIONS = 0o7777;

/** Programs, libraries and terminal types of the tools image; its root is the installer's /usr. `atHand`: libraries the installer has already. */
export function toolFiles(unpacked: Unpacked, atHand: readonly string[]): readonly StagedFile[] {
  const programs = TOOLS.map((path) => ({ path, file: unpacked.need(`usr/${path}`) }));
  const libraries = [
    ...librariesOf(
      programs.map(({ file }) => file),
      unpacked,
    ),
  ];
  return [
    ...programs.map(({ path, file }) => copy(path, file)),
    ...Object.entries(TOOL_NAMES).map(([path, target]) => linkTo(path, target)),
    ...TERMINALS.map((name) => copy(`share/terminfo/${name}`, unpacked.need(`lib/terminfo/${name}`))),
    ...libraries
      .filter(([name]) => !atHand.includes(name))
      .map(([name, file]) => copy(`lib/x86_64-linux-gnu/${name}`, file)),
  ];
}

/** Writes the files as a squashfs, the same bytes for the same files. */
export async function writeSquashfs(
  path: string,
  files: readonly StagedFile[],
  { unpacked, place, work }: { readonly unpacked: Unpacked; readonly place: ProgramPlace; readonly work: string },
): Promise<void> {
  const root = join(work, "tools");
  await mkdir(root, { recursive: true });
  for (const file of withFolders(files)) await put(root, file);
  const reproducible = ["-all-root", "-all-time", "0", "-mkfs-time", "0", "-no-exports", "-no-xattrs", "-noappend"];
  const compression = ["-comp", "zstd", "-Xcompression-level", "19", "-b", "262144"];
  const command = unpackedCommand("usr/bin/mksquashfs", unpacked);
  await runProgram([...command, root, path, ...reproducible, ...compression, "-no-progress", "-quiet"], place);
}

async function put(root: string, { path, mode, read }: StagedFile): Promise<void> {
  const to = join(root, path);
  const content = read?.();
  await mkdir(dirname(to), { recursive: true });
  if (mode === LINK) return symlink(Buffer.from(content ?? []).toString(), to);
  if (content === undefined) await mkdir(to, { recursive: true });
  else await writeFile(to, content);
  await chmod(to, mode & PERMISSIONS);
}
