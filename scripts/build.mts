/** Makes dist/: one bundle a program, because Node strips no types under node_modules. */
import { chmodSync, rmSync } from "node:fs";
import { type BuildOptions, build } from "esbuild";

const SHEBANG = "#!/usr/bin/env node";
// CommonJS packages inside an ES module bundle ask for these.
const PRELUDE = `import { createRequire as hpsRequire } from "node:module";
import { dirname as hpsDirname } from "node:path";
const require = hpsRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = hpsDirname(__filename);`;

const PROGRAMS = {
  hpsd: "server/main.ts",
  hpsctl: "client/main.ts",
  "hps-agent": "installer-agent/main.ts",
} as const;

const shared: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  outdir: "dist",
  // Native code stays a package of its own.
  external: ["better-sqlite3", "node-pty"],
  legalComments: "linked",
  logLevel: "warning",
};

rmSync("dist", { recursive: true, force: true });
await build({ ...shared, entryPoints: PROGRAMS, banner: { js: `${SHEBANG}\n${PRELUDE}` } });
await build({ ...shared, entryPoints: { "store-worker": "server/store/store-worker.ts" }, banner: { js: PRELUDE } });
for (const name of Object.keys(PROGRAMS)) chmodSync(`dist/${name}.js`, 0o755);
