import { readFile } from "node:fs/promises";
import path from "node:path";
import type { BuildOptions } from "esbuild";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WebFiles } from "./web-assets.ts";

const OPTIONS = {
  bundle: true,
  platform: "browser" as const,
  target: "es2023",
  format: "esm" as const,
  minify: true,
  // Licences travel with the code, and the file stays one.
  legalComments: "eof" as const,
  // The same bytes where node_modules is a link to another folder.
  preserveSymlinks: true,
  logLevel: "warning" as const,
  write: false as const,
} satisfies BuildOptions;

/** The page's files from the sources in `folder`: for the package, and for an hpsd that runs from a checkout. */
export async function bundleWeb(folder: string): Promise<WebFiles> {
  const { build } = await import("esbuild").catch((cause: unknown) => {
    throw new HpsError(
      "precondition",
      "the web page is not beside hpsd, and esbuild, which makes it, is not installed",
      {
        hint: "install the whole package, or run npm install in the checkout",
        cause,
      },
    );
  });
  const entryPoints = { terminal: path.join(folder, "main.ts") };
  const { outputFiles } = await build({ ...OPTIONS, entryPoints, outdir: folder });
  const made = outputFiles.map(({ path: file, contents }) => [path.basename(file), contents] as const);
  const kept = ["page.html", "icon.svg"].map(async (name) => [name, await readFile(path.join(folder, name))] as const);
  return Object.fromEntries([...made, ...(await Promise.all(kept))]);
}
