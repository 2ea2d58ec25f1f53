import { readFile } from "node:fs/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** A file named on the command line, be it a pipe. `not-found` when it cannot be read. */
export async function readText(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((cause: unknown) => {
    throw new HpsError("not-found", `cannot read ${quote(file, 200)}`, {
      hint: "does it exist, and may you read it?",
      cause,
    });
  });
}
