/**
 * `unpack-image-here LIBRARY ROOT [OLD…]`: unpacks the image of a folder of files by their digests, and says in one line of JSON
 * what became of it. A process of its own, to be killed, measured, or run in a namespace of its own.
 */
import { HpsError } from "../../proto/values/hps-error.ts";
import { unpackLibrary } from "./unpack-library.ts";

const [library = "", root = "", ...olds] = process.argv.slice(2);

try {
  const done = await unpackLibrary(library, root, olds);
  const memory = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ ...done, memory }));
} catch (error) {
  if (!(error instanceof HpsError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
