import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { TRUSTED } from "./good.ts";

export const FOLDER = import.meta.dirname;

/** What the reader in Python prints about a file of a kind, in the folder of the examples: of `refused.json`, a line for each of that kind. */
export function secondReader(kind: string, file: string): string {
  const options = ["--old", "old", "--trust", TRUSTED.toString("hex")];
  return execFileSync("python3", [join(FOLDER, "reader.py"), kind, file, ...options], {
    cwd: FOLDER,
    encoding: "utf8",
    timeout: 60_000,
  });
}
