import { cpSync } from "node:fs";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { makeScratch, run } from "../testing/scratch.ts";
import { NATIVE_FILE, nativeFilePath } from "./library.ts";

const PROGRAM = `
import { openSync } from "node:fs";
import { byteStringOf } from "../byte-string.ts";
import { nativeFilePath } from "./library.ts";
import { openDirectoryBeneath } from "./paths.ts";
try {
  openDirectoryBeneath(openSync("/", "r"), byteStringOf("proc"));
  console.log("works", nativeFilePath());
} catch (error) {
  console.log(error.message, error.hint);
}`;

test("a bundle needs one file beside it, and says so when that is missing", async () => {
  using scratch = makeScratch();
  const outfile = scratch.under("agent/program.js");
  const stdin = { contents: PROGRAM, resolveDir: import.meta.dirname, loader: "ts" as const };
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  const said = () => run([process.execPath, outfile]).toString().trim();
  expect(said()).toMatch(
    /^this program was installed without its native calls put koffi.node of the package \S+ beside it$/,
  );
  cpSync(nativeFilePath(), scratch.under(`agent/${NATIVE_FILE}`));
  expect(said()).toBe(`works ${scratch.under(`agent/${NATIVE_FILE}`)}`);
});
