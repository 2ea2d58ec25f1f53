/** Disks for guests that run programs of ours as they ship. */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { must } from "./run.ts";

/** Puts this process's Node into a folder, and into its `lib` the libraries that Node needs. */
export async function putNode(tree: string): Promise<void> {
  await mkdir(join(tree, "lib"), { recursive: true });
  await cp(process.execPath, join(tree, "node"));
  const listed = await must(["ldd", process.execPath]);
  for (const [, library = ""] of listed.matchAll(/(\/\S+) \(0x/g)) {
    await cp(library, join(tree, "lib", library.slice(library.lastIndexOf("/") + 1)), { dereference: true });
  }
}

/** Makes `disk` an ext4 of this size that holds a tree. */
export async function ext4Of(tree: string, disk: string, size: string): Promise<void> {
  // Written to the end now: a guest's kernel would do the rest later, and that is no write of what is tried in it.
  const options = ["-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", tree];
  await must(["mkfs.ext4", "-q", ...options, disk, size], { timeoutMs: 120_000 });
}
