/** Writes the examples anew, and has the second reader say what is in them: node test/vectors/image/generate.ts */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { examples } from "./examples.ts";
import { FOLDER, secondReader } from "./second-reader.ts";

const { files, good } = await examples();
for (const [path, content] of Object.entries(files)) {
  mkdirSync(dirname(join(FOLDER, path)), { recursive: true });
  writeFileSync(join(FOLDER, path), content);
}
for (const kind of good) writeFileSync(join(FOLDER, `${kind}.txt`), secondReader(kind, `${kind}.hex`));
