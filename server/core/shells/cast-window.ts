import { parseWindowSize, type WindowSize } from "../../../proto/values/terminal.ts";
import { readWholeLines } from "./whole-lines.ts";

const HEADER = /^\{.*"cols":(\d+),"rows":(\d+)/;
const RESIZE = /^\[[\d.]+, "r", "(\d+)x(\d+)"\]/;

/** The last size of the terminal in a recording that hpsd wrote. Throws when there is none. */
export async function castWindow(file: string): Promise<WindowSize> {
  let found: RegExpExecArray | undefined;
  await readWholeLines(file, (line) => {
    found = (found === undefined ? HEADER : RESIZE).exec(line) ?? found;
    return true;
  });
  return parseWindowSize({ columns: Number(found?.[1]), rows: Number(found?.[2]) });
}
