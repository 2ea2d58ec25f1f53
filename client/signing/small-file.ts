import { open } from "node:fs/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

const LARGEST = 64 * 1024;

/** The text of a file with a key or a passphrase. */
export async function readSmallFile(path: string, what: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LARGEST + 1), 0, LARGEST + 1);
    if (bytesRead <= LARGEST) return buffer.toString("utf8", 0, bytesRead);
  } catch (cause) {
    throw new HpsError("not-found", `cannot read ${what}: ${quote(path, 200)}`, {
      hint: "does it exist, and may you read it?",
      cause,
    });
  }
  throw new HpsError("invalid", `${quote(path, 200)} is too long for ${what}`);
}
