import { neededLibraries } from "./elf.ts";
import type { Unpacked } from "./unpacked.ts";

/** Where libraries of this architecture are, in Debian. */
export const LIBRARIES = "lib/x86_64-linux-gnu";
export const LOADER = "lib64/ld-linux-x86-64.so.2";

/** Everything that the programs need loaded, directly or not: name of the library to its file. The dynamic loader itself is left out. */
export function librariesOf(files: readonly string[], unpacked: Unpacked): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const name of neededLibraries(file)) {
      if (found.has(name) || LOADER.endsWith(name)) continue;
      const library = unpacked.need(`${LIBRARIES}/${name}`);
      found.set(name, library);
      waiting.push(library);
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** How to run an unpacked program here: by its own loader, with its own libraries, so that nothing depends on what this machine has. */
export function unpackedCommand(path: string, unpacked: Unpacked): readonly string[] {
  const program = unpacked.need(path);
  const folders = [...librariesOf([program], unpacked).values()].map((file) => file.slice(0, file.lastIndexOf("/")));
  // One file may be several programs, told apart by what they are called by.
  const loader = [unpacked.need(LOADER), "--argv0", path.slice(path.lastIndexOf("/") + 1)];
  return [...loader, "--library-path", [...new Set(folders)].join(":"), program];
}
