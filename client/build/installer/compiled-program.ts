import { hash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ProgramPlace, runProgram } from "./run-program.ts";

export interface CompileOrder {
  /** For files on the way. */
  readonly work: string;
  readonly place: ProgramPlace;
}

/** The same bytes each time: else V8 hashes names by a number that it draws anew at each start. */
const SAME_EACH_TIME = "--random-seed=1";

/**
 * Starts the program beside it and keeps, as it ends, what was compiled of it. The name is no real file's, so that the folder is not in the
 * code. Each function notes which further compilers have it or are at it, in threads of their own, so on a busy machine it differed: they
 * are off until the code is kept, and on again then, because the code is bound to V8's settings.
 */
const COMPILE = `
const { readFileSync, writeFileSync } = require("node:fs");
const { createRequire, wrap } = require("node:module");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");
for (const compiler of ["sparkplug", "maglev"]) setFlagsFromString("--no-" + compiler);
const file = join(__dirname, "hps-agent.cjs");
const script = new Script(wrap(readFileSync(file, "utf8")), { filename: "/opt/hps/hps-agent.cjs" });
process.once("exit", () => {
  for (const compiler of ["sparkplug", "maglev"]) setFlagsFromString("--" + compiler);
  writeFileSync(join(__dirname, "hps-agent.cache"), script.createCachedData());
});
const program = { exports: {} };
script.runInThisContext()(program.exports, createRequire(file), program, file, __dirname);
`;

/**
 * V8's compiled code of the agent's program behind its SHA-256, by the Node that this hpsctl runs on and the installer carries; it holds on
 * every processor.
 */
export async function compiledProgram(program: Uint8Array, { work, place }: CompileOrder): Promise<Uint8Array> {
  const folder = await mkdtemp(join(work, "compile-"));
  try {
    const compile = join(folder, "compile.cjs");
    await writeFile(compile, COMPILE);
    await writeFile(join(folder, "hps-agent.cjs"), program);
    // Node's own variables would change V8's settings, which the code is bound to.
    const environment = { PATH: place.environment.PATH };
    await runProgram([process.execPath, SAME_EACH_TIME, compile, "--version"], { ...place, environment });
    const code = await readFile(join(folder, "hps-agent.cache"));
    return Buffer.concat([hash("sha256", code, "buffer"), code]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
