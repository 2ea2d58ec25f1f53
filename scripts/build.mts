/** Makes dist/: the programs as bundles, because Node strips no types under node_modules. */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type BuildOptions, build } from "esbuild";
import {
  AGENT_OPTIONS,
  BUNDLE_OPTIONS,
  LAUNCHER_OPTIONS,
  UNPACK_WORKER,
} from "../client/build/installer/agent-bundle.ts";
import { bundleWeb } from "../server/http/web-bundle.ts";

const shared = { ...BUNDLE_OPTIONS, outdir: "dist" };

/** One file each: hpsd finds its threads beside its own code. */
const WHOLE = {
  hpsd: "server/main.ts",
  "store-worker": "server/store/store-worker.ts",
  "screen-worker": "server/core/shells/screen-worker.ts",
  "upload-worker": "server/core/images/upload-worker.ts",
  "library-worker": "server/core/images/library-worker.ts",
};

rmSync("dist", { recursive: true, force: true });
// No hpsd made a claim before: an agent never sets a clock to less.
const define = { HPS_BUILT: JSON.stringify(new Date().toISOString()) };
await build({ ...shared, define, entryPoints: WHOLE });
// What hpsd serves to browsers, beside it.
mkdirSync("dist/web", { recursive: true });
for (const [name, content] of Object.entries(await bundleWeb("server/http/web")))
  writeFileSync(`dist/web/${name}`, content);
// The agent travels alone: its program, its thread, and what starts it.
const agent = { ...AGENT_OPTIONS, define: { ...AGENT_OPTIONS.define, ...define }, outfile: "dist/hps-agent.cjs" };
await build({ ...agent, entryPoints: ["installer-agent/main.ts"] });
await build({ ...AGENT_OPTIONS, entryPoints: [UNPACK_WORKER], outfile: "dist/hps-unpack-worker.cjs" });
await build({ ...LAUNCHER_OPTIONS, entryPoints: ["installer-agent/launch.ts"], outfile: "dist/hps-agent.js" });
// A command loads only its own part: `hpsctl --help` reads neither gRPC nor the contract.
const parts: BuildOptions = { splitting: true, chunkNames: "hpsctl/[name]-[hash]" };
await build({ ...shared, ...parts, entryPoints: { hpsctl: "client/main.ts", sdk: "client/sdk/connect.ts" } });

for (const name of ["hpsd", "hpsctl", "hps-agent"]) {
  const file = `dist/${name}.js`;
  const text = readFileSync(file, "utf8").replace(/^#!.*\n/, "");
  writeFileSync(file, `#!/usr/bin/env node\n${text}`);
  chmodSync(file, 0o755);
}
