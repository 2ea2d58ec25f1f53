/** `unpack-archive FILE FOLDER`: what the agent does with an image, verified; prints its peak memory in bytes. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { decompressed } from "../../proto/tree/compression/decompress.ts";
import { unpackTar } from "../../proto/tree/unpack/unpack.ts";

const [file = "", folder = ""] = process.argv.slice(2);
const hash = createHash("sha256");

async function* hashed(): AsyncGenerator<Uint8Array> {
  for await (const piece of createReadStream(file)) {
    hash.update(piece);
    yield piece;
  }
}

await unpackTar(decompressed(hashed()), folder, { devices: "create" });
hash.digest();
console.log(process.resourceUsage().maxRSS * 1024);
