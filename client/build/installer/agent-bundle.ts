import { statSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, BuildResult, OutputFile } from "esbuild";
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
  // Paths of packages are in the code: the same ones where node_modules is a link to another folder.
  preserveSymlinks: true,
  legalComments: "linked" as const,
  logLevel: "warning" as const,
} satisfies BuildOptions;

/** The agent's program, which its launcher runs: a script, for that is what V8 keeps compiled code of; as such it cannot wait at its top. */
export const AGENT_OPTIONS = {
  ...BUNDLE_OPTIONS,
  format: "cjs" as const,
  banner: { js: 'const hpsUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "hpsUrl" },
} satisfies BuildOptions;

/** The source of the agent's thread, which is a program of its own beside it: it starts without what only the agent needs. */
export const UNPACK_WORKER = "installer-agent/image/unpack-worker.ts";

/** What starts it. */
export const LAUNCHER_OPTIONS = { ...BUNDLE_OPTIONS, banner: {} } satisfies BuildOptions;

export interface AgentBundle {
  /** `hps-agent.cjs` and `hps-agent.js`, which starts it. */
  readonly program: Uint8Array;
  readonly launcher: Uint8Array;
  /** `hps-unpack-worker.cjs`, the thread that unpacks images. */
  readonly worker: Uint8Array;
  /** When it says it was built. */
  readonly built: string;
}

/** The agent, from the sources at `root`. It says that it was built at `built`; not told, when its newest source was written. */
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
  const made = { absWorkingDir: root, legalComments: "none" as const, write: false as const };
  const options = { ...AGENT_OPTIONS, ...made, entryPoints: ["installer-agent/main.ts"], outfile: "hps-agent.cjs" };
  const time = built ?? (await newestSource(build({ ...options, metafile: true }), root));
  const define = { ...AGENT_OPTIONS.define, HPS_BUILT: JSON.stringify(time) };
  const { outputFiles: program } = await build({ ...options, define });
  const launch = { ...LAUNCHER_OPTIONS, ...made, outfile: "hps-agent.js" };
  const { outputFiles: launcher } = await build({ ...launch, entryPoints: ["installer-agent/launch.ts"] });
  const thread = { ...AGENT_OPTIONS, ...made, outfile: "hps-unpack-worker.cjs" };
  const { outputFiles: worker } = await build({ ...thread, entryPoints: [UNPACK_WORKER] });
  return { program: contentOf(program), launcher: contentOf(launcher), worker: contentOf(worker), built: time };
}

function contentOf([file]: readonly OutputFile[]): Uint8Array {
  if (file === undefined) throw new HpsError("internal", "esbuild gave no file");
  return file.contents;
}

async function newestSource(made: Promise<BuildResult<{ metafile: true }>>, root: string): Promise<string> {
  const { metafile } = await made;
  return new Date(Math.max(...Object.keys(metafile.inputs).map((path) => newestOf(join(root, path))))).toISOString();
}

function newestOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
