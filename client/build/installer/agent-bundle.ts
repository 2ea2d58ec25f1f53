import { statSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, BuildResult } from "esbuild";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** CommonJS packages inside an ES module bundle ask for these. */
const PRELUDE = `import { createRequire as hpsRequire } from "node:module";
import { dirname as hpsDirname } from "node:path";
const require = hpsRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = hpsDirname(__filename);`;

/** How every program of ours is bundled. */
export const BUNDLE_OPTIONS = {
  bundle: true,
  platform: "node" as const,
  target: "node24",
  format: "esm" as const,
  // Less to read at each start; names stay, for the stack traces in logs.
  minifyWhitespace: true,
  minifySyntax: true,
  banner: { js: PRELUDE },
  // Native code stays a package of its own; the bundler itself is not in the package.
  external: ["better-sqlite3", "node-pty", "esbuild"] as string[],
  legalComments: "linked" as const,
  logLevel: "warning" as const,
} satisfies BuildOptions;

export interface AgentBundle {
  readonly bytes: Uint8Array;
  /** When it says it was built. */
  readonly built: string;
}

/** The agent as one file, from the sources at `root`. It says that it was built at `built`; not told, when its newest source was written. */
export async function agentBundle(root: string, built: string | undefined): Promise<AgentBundle> {
  const { build } = await import("esbuild").catch((cause: unknown) => {
    throw new HpsError(
      "precondition",
      "the agent's bundle is not beside hpsctl, and esbuild, which makes it, is not installed",
      {
        hint: "install the whole package, or run npm install in the checkout",
        cause,
      },
    );
  });
  const options = {
    ...BUNDLE_OPTIONS,
    absWorkingDir: root,
    entryPoints: ["installer-agent/main.ts"],
    legalComments: "none" as const,
    outfile: "hps-agent.js",
    write: false as const,
  };
  const time = built ?? (await newestSource(build({ ...options, metafile: true }), root));
  const { outputFiles } = await build({ ...options, define: { HPS_BUILT: JSON.stringify(time) } });
  const [file] = outputFiles;
  if (file === undefined) throw new HpsError("internal", "esbuild gave no file");
  return { bytes: file.contents, built: time };
}

async function newestSource(made: Promise<BuildResult<{ metafile: true }>>, root: string): Promise<string> {
  const { metafile } = await made;
  return new Date(Math.max(...Object.keys(metafile.inputs).map((path) => newestOf(join(root, path))))).toISOString();
}

function newestOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
