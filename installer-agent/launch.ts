#!/usr/bin/env node
/**
 * What a shipped agent starts by: runs the program beside it, by its compiled code where that lies there too. Reading and compiling the
 * program is more than half of a start, and where a processor is emulated or slow that is seconds of every boot.
 */
import { hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import { constants, Script } from "node:vm";

const DIGEST_BYTES = 32;

const program = join(import.meta.dirname, "hps-agent.cjs");
const cachedData = compiledCode(join(import.meta.dirname, "hps-agent.cache"));
const script = new Script(Module.wrap(readFileSync(program, "utf8")), {
  filename: program,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  ...(cachedData !== undefined && { cachedData }),
});
const container = { exports: {} };
script.runInThisContext()(container.exports, createRequire(program), container, program, dirname(program));

/** V8 compiles anew where the code is another V8's or of another program; but it ends the process over code that a disk has damaged. */
function compiledCode(file: string): Buffer | undefined {
  if (!existsSync(file)) return undefined;
  const kept = readFileSync(file);
  const code = kept.subarray(DIGEST_BYTES);
  return hash("sha256", code, "buffer").equals(kept.subarray(0, DIGEST_BYTES)) ? code : undefined;
}
