import path from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** The files a recording may consist of. */
export type RecordingPart = "cast" | "raw" | "command" | "input";

const EXTENSIONS: Readonly<Record<RecordingPart, string>> = {
  cast: "cast",
  raw: "raw",
  command: "jsonl",
  input: "input",
};

/** Where a part of a session's recording is. */
export function fileOfPart(folder: string, id: string, part: RecordingPart): string {
  return path.join(folder, `${id}.${EXTENSIONS[part]}`);
}

/** The part whose digest is the recording's. */
export function mainPart(command: readonly string[]): RecordingPart {
  return command.length === 0 ? "cast" : "command";
}

/** The part that is meant, by default the main one. `not-found` for one that such a session never has. */
export function partOf(
  { id, command }: { readonly id: string; readonly command: readonly string[] },
  wanted: RecordingPart | undefined,
): RecordingPart {
  const main = mainPart(command);
  const part = wanted ?? main;
  if ((part === "command") === (main === "command")) return part;
  const [kind, has] = main === "cast" ? ["a terminal", "cast, raw and input"] : ["a command", "command alone"];
  throw new HpsError("not-found", `session ${id} was ${kind}, whose recording has no part "${part}"`, {
    hint: `its parts are ${has}`,
  });
}

/** The session a file of the folder belongs to; undefined for a file that is none of a recording. */
export function sessionOfFile(name: string): string | undefined {
  const [, id, extension = ""] = /^([0-9a-f-]{36})\.([a-z]+)$/.exec(name) ?? [];
  return Object.values(EXTENSIONS).includes(extension) ? id : undefined;
}
