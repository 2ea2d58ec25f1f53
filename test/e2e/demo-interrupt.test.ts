import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { labFolder } from "../lab/janitor.ts";
import { startProgram } from "../lab/program.ts";

const DEMO = new URL("../lab/demo.ts", import.meta.url).pathname;
const START_MS = 60_000;
/** Far less than what builds would take. */
const END_MS = 20_000;
/** As long as mmdebstrap may take to clean up after it was told, nobody kills it. */
const MMDEBSTRAP = `#!/bin/sh
trap 'kill $!; echo cleaned > "$RUNNING.cleaned"; exit 1' TERM
sleep 600 &
echo $! $$ > "$RUNNING.part" && mv "$RUNNING.part" "$RUNNING"
wait
`;

test("Ctrl-C while the demo builds an image ends the build at once, in order", { timeout: 120_000 }, async () => {
  const folder = await labFolder();
  try {
    const running = join(folder, "running");
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin", "mmdebstrap"), MMDEBSTRAP, { mode: 0o755 });
    const env = { PATH: `${folder}/bin:${process.env.PATH}`, HOME: folder, XDG_CACHE_HOME: folder, RUNNING: running };
    const demo = await startProgram({ argv: [process.execPath, DEMO], env });
    await expect.poll(() => existsSync(running), { timeout: START_MS }).toBe(true);
    const pids = (await readFile(running, "utf8")).trim().split(" ");
    const began = performance.now();
    const code = await demo.stop("SIGINT", END_MS);
    expect(code, demo.output()).toBe(0);
    expect(performance.now() - began).toBeLessThan(END_MS);
    expect(existsSync(`${running}.cleaned`)).toBe(true);
    // What was killed is there until its heir has taken note of it.
    await expect.poll(() => pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
