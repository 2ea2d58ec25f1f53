import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Module } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AgentBundle, agentBundle } from "./agent-bundle.ts";
import { compiledProgram } from "./compiled-program.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "hps-compiled-"));
afterAll(() => rmSync(folder, { recursive: true }));

const compiled = (program: Uint8Array, environment: NodeJS.ProcessEnv = process.env) =>
  compiledProgram(program, { work: folder, place: { signal: AbortSignal.timeout(60_000), environment } });

/** What the launcher prints, started with these files beside it. */
function start(files: Readonly<Record<string, Uint8Array>>, ...argv: readonly string[]): string {
  const place = mkdtempSync(join(folder, "agent-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(place, name), content);
  return execFileSync(process.execPath, [join(place, "hps-agent.js"), ...argv], { encoding: "utf8" });
}

let agent: AgentBundle;
let code: Uint8Array;
beforeAll(async () => {
  agent = await agentBundle(ROOT, "2026-01-01T00:00:00.000Z");
  code = await compiled(agent.program);
}, 120_000);

test("compiled code is the same each time, and no setting of who builds is in it", { timeout: 60_000 }, async () => {
  const elsewhere = { ...process.env, NODE_OPTIONS: "--stack-trace-limit=7 --max-old-space-size=300" };
  expect(Buffer.compare(await compiled(agent.program, elsewhere), code)).toBe(0);
});

test("V8 takes it, and another program's not", () => {
  const rejected = (program: Uint8Array) =>
    new Script(Module.wrap(Buffer.from(program).toString()), { cachedData: Buffer.from(code.subarray(32)) })
      .cachedDataRejected;
  // In this process V8 may have other settings, which it is bound to: so it is asked in a Node without any.
  const asked = `
    const { readFileSync } = require("node:fs");
    const [program, cachedData] = process.argv.slice(1).map((file) => readFileSync(file));
    const source = require("node:module").wrap(program.toString());
    console.log(new (require("node:vm").Script)(source, { cachedData }).cachedDataRejected);`;
  const [program, cache] = ["asked.cjs", "asked.cache"].map((name) => join(folder, name));
  writeFileSync(program ?? "", agent.program);
  writeFileSync(cache ?? "", code.subarray(32));
  const said = execFileSync(process.execPath, ["-e", asked, program ?? "", cache ?? ""], { encoding: "utf8", env: {} });
  expect(said.trim()).toBe("false");
  expect(rejected(Buffer.concat([agent.program, Buffer.from("\n")]))).toBe(true);
});

test("the launcher starts the program by it, and without it, and with one that is damaged", () => {
  const files = { "hps-agent.js": agent.launcher, "hps-agent.cjs": agent.program };
  const version = start({ ...files, "hps-agent.cache": code }, "--version");
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(start(files, "--version")).toBe(version);
  const damaged = Buffer.from(code);
  damaged.fill(0x55, damaged.length / 2, damaged.length / 2 + 1000);
  expect(start({ ...files, "hps-agent.cache": damaged }, "--version")).toBe(version);
  expect(start({ ...files, "hps-agent.cache": code.subarray(0, 1000) }, "--version")).toBe(version);
});
