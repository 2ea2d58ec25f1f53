import { open, readdir } from "node:fs/promises";

/** No text of interest is longer, and a file of sysfs says 4096 whatever it holds. */
const LIMIT = 4096;

/** What a file of sysfs holds; undefined when it is missing, unreadable or too long. */
export async function readSysfs(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, "r");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LIMIT + 1), 0, LIMIT + 1, 0);
    return bytesRead > LIMIT ? undefined : buffer.subarray(0, bytesRead);
  } catch {
    return undefined;
  }
}

/** The same as text without the space around it; undefined when nothing is left, or it is not short Unicode. */
export async function readSysfsText(path: string): Promise<string | undefined> {
  const bytes = await readSysfs(path);
  const text = bytes?.toString("utf8").trim() ?? "";
  return text === "" || text.length > 128 || text.includes("\ufffd") ? undefined : text;
}

/** A whole number; undefined when it is none. */
export async function readSysfsNumber(path: string): Promise<number | undefined> {
  const text = await readSysfsText(path);
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Names in a folder, sorted; none when it is missing. */
export async function listSysfs(path: string): Promise<readonly string[]> {
  return (await readdir(path).catch(() => [])).toSorted();
}
