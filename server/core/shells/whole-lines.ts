import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Written } from "./recording-file.ts";

/** No line of a recording is longer: the largest piece with every byte written as an escape, and some. */
const MAX_LINE = 4 * 1024 * 1024;

/**
 * Reads a file of lines from its beginning as long as `take` accepts them; what follows, and a last line that is torn,
 * does not count. Gives what was accepted.
 */
export async function readWholeLines(path: string, take: (line: string) => boolean): Promise<Written> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const line of wholeLines(path)) {
    if (!take(line.subarray(0, -1).toString("utf8"))) break;
    hash.update(line);
    bytes += line.length;
  }
  return { bytes, hash };
}

/** Each with its newline. */
async function* wholeLines(path: string): AsyncGenerator<Buffer, void, void> {
  let rest: Buffer[] = [];
  let held = 0;
  const chunks: AsyncIterable<Buffer> = createReadStream(path);
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, end + 1)]);
      rest = [];
      held = 0;
      from = end + 1;
    }
    rest.push(chunk.subarray(from));
    held += chunk.length - from;
    if (held > MAX_LINE) return;
  }
}
