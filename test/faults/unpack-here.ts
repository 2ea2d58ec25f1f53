/** `unpack-here ARCHIVE ROOT`: says in one line what became of it. A process of its own, for a namespace of its own. */
import { createReadStream } from "node:fs";
import { decompressed } from "../../proto/tree/compression/decompress.ts";
import { unpackTar } from "../../proto/tree/unpack/unpack.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

const [archive = "", root = ""] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await unpackTar(decompressed(createReadStream(archive)), root, { devices: "create" })));
} catch (error) {
  if (!(error instanceof HpsError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
