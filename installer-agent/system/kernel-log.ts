import { closeSync, constants, openSync, readSync } from "node:fs";

const RECORD = 8_192;
const MOST = 20_000;

/** The lines of the kernel's log at present; none where it may not be read. */
export function kernelLog(path = "/dev/kmsg"): readonly string[] {
  const lines: string[] = [];
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const record = Buffer.alloc(RECORD);
    // Each read gives one record, `priority,number,time,flags;text`; after the last one it says "again".
    while (lines.length < MOST) {
      const length = readSync(file, record);
      if (length === 0) break;
      lines.push(...record.toString("utf8", 0, length).split("\n").slice(0, 1));
    }
  } catch {
    // The end, or no kernel's log at all.
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return lines;
}
