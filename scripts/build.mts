/** Makes dist/: the programs as bundles, because Node strips no types under node_modules. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type BuildOptions, build } from "esbuild";

// CommonJS packages inside an ES module bundle ask for these.
const PRELUDE = `import { createRequire as hpsRequire } from "node:module";
import { dirname as hpsDirname } from "node:path";
const require = hpsRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = hpsDirname(__filename);`;

const shared: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  outdir: "dist",
  // Less to read at each start; names stay, for the stack traces in logs.
  minifyWhitespace: true,
  minifySyntax: true,
  banner: { js: PRELUDE },
  // Native code stays a package of its own.
  external: ["better-sqlite3", "node-pty"],
  legalComments: "linked",
  logLevel: "warning",
};

/** One file each: hpsd finds store-worker.js beside its own code, and the agent travels alone. */
const WHOLE = {
  hpsd: "server/main.ts",
  "hps-agent": "installer-agent/main.ts",
  "store-worker": "server/store/store-worker.ts",
};

rmSync("dist", { recursive: true, force: true });
await build({ ...shared, entryPoints: WHOLE });
// A command loads only its own part: `hpsctl --help` reads neither gRPC nor the contract.
const parts: BuildOptions = { splitting: true, chunkNames: "hpsctl/[name]-[hash]" };
await build({ ...shared, ...parts, entryPoints: { hpsctl: "client/main.ts", sdk: "client/sdk/connect.ts" } });

for (const name of ["hpsd", "hpsctl", "hps-agent"]) {
  const file = `dist/${name}.js`;
  const text = readFileSync(file, "utf8").replace(/^#!.*\n/, "");
  writeFileSync(file, `#!/usr/bin/env node\n${text}`);
  chmodSync(file, 0o755);
}
