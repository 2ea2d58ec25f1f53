import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { QuickstartRunner, readQuickstart } from "../lab/quickstart.ts";
import { createRack } from "../lab/rack.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** What a block that starts with these words must print. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  "mkdir -p lab": /ok {7}store and certificate authority/,
  "hpsd serve": /hpsd is ready: gRPC localhost:7443, HTTPS https:\/\/localhost:7444/,
  "export HPSCONFIG": /spiffe:\/\/lab\.example\/operator\/alice[\s\S]*\*=admin/,
  "hpsctl host add": /web01 {2}armed/,
  "hpsctl host claim": /wrote lab\/claim\.json/,
  'hps-agent --claim lab/claim.json --facts lab/facts.json --state "$PWD/lab/agent"': /attached/,
  "hpsctl installation ls\nhpsctl installation watch": /configuration: done[\s\S]*Linux[\s\S]*alice[\s\S]*uname -a/,
  'hps-agent --claim lab/claim.json --facts lab/facts.json --state "$PWD/lab/other"':
    /refused, as it should be[\s\S]*two keys/,
  "hpsctl installation ls\nhpsctl installation cancel": /frozen[\s\S]*cancelled/,
};

test("the README takes a newcomer from nothing to a first host, and every command in it works", async () => {
  await using rack = await createRack({ clients: [] });
  const cwd = mkdtempSync(join(tmpdir(), "hps-readme-"));
  for (const name of ["scripts", "package.json", "client"]) symlinkSync(join(ROOT, name), join(cwd, name));
  const prefix = ["nsenter", `--net=/run/netns/${rack.server.ns}`, "--"];
  const { blocks, sdk } = readQuickstart(README);
  const seen = new Set<string>();
  try {
    await using runner = new QuickstartRunner({ cwd, env: process.env, prefix });
    for (const block of blocks) {
      const printed = await runner.run(block);
      const key = Object.keys(SHOWN).find((start) => block.commands.startsWith(start));
      if (key === undefined) continue;
      seen.add(key);
      expect(printed, block.commands).toMatch(SHOWN[key] ?? /$^/);
    }
    expect([...seen].sort()).toEqual(Object.keys(SHOWN).sort());
    writeFileSync(join(cwd, "example.ts"), sdk);
    expect(await runner.run({ commands: "node example.ts" })).toMatch(/web01\n1n change/);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});

test("the README names only pages that exist", () => {
  const pages = [...README.matchAll(/\]\(([^)#]+)\)/g)].map(([, page = ""]) => page);
  expect(pages.length).toBeGreaterThan(4);
  for (const page of pages) expect(() => readFileSync(join(ROOT, page)), page).not.toThrow(/ENOENT/);
});
