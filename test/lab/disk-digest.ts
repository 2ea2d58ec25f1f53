import { basename, dirname } from "node:path";
import { must } from "./run.ts";

const READ_MS = 10 * 60_000;
/** An archive that has the file's holes as holes and nothing else that changes, so that what was never written is not read. */
const DIGEST = 'sync "$0" && tar --create --sparse --format=gnu --mtime=@0 --file=- -C "$1" "$2" | sha256sum';

/** Of every byte of a disk, of a machine that is off or leaves it alone. */
export async function diskDigest(file: string): Promise<string> {
  return (
    await must(["bash", "-o", "pipefail", "-c", DIGEST, file, dirname(file), basename(file)], { timeoutMs: READ_MS })
  ).slice(0, 64);
}

/** A copy with the same bytes, whose holes are holes: else what was never written is read whole at each digest. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await must(["cp", "--sparse=always", from, to], { timeoutMs: READ_MS });
}
