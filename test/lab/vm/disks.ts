import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { must } from "../run.ts";
import type { VmDisk } from "./options.ts";

/** Makes the files that are not there, sparse; answers with one for each disk. */
export async function makeDisks(folder: string, disks: readonly VmDisk[]): Promise<readonly string[]> {
  return await Promise.all(disks.map((disk, at) => makeDisk(disk, join(folder, `disk${at}`))));
}

async function makeDisk({ file: given, bytes, format = "raw" }: VmDisk, own: string): Promise<string> {
  const file = given ?? own;
  if (existsSync(file)) return file;
  if (bytes === undefined) throw new HpsError("invalid", `the disk ${file} does not exist and has no size`);
  if (format === "qcow2") {
    await must(["qemu-img", "create", "-q", "-f", "qcow2", file, String(bytes)]);
    return file;
  }
  await using handle = await open(file, "wx");
  await handle.truncate(bytes);
  return file;
}
