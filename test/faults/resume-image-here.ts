/**
 * `resume-image-here LIBRARY ROOT`: fills a slot as the step `image` does, and says in one line of JSON of what image it bore the
 * marker before, and what came of it. Runs as a bundle too, in a guest.
 */
import { readMarker, removeMarker, setMarker } from "../../installer-agent/image/marker.ts";
import { filesOfLibrary, unpackLibrary } from "./unpack-library.ts";

async function main(library = "", root = ""): Promise<void> {
  const marker = readMarker(root) ?? "";
  setMarker(root, filesOfLibrary(library).manifest.digest);
  const done = await unpackLibrary(library, root);
  await removeMarker(root);
  console.log(JSON.stringify({ marker, ...done }));
}

void main(...process.argv.slice(2));
