import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { agentBundle } from "./agent-bundle.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const BUILT = "2026-01-02T03:04:05.000Z";

test("the same bytes come from another folder, its packages being a link", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hps-bundle-"));
  try {
    for (const name of readdirSync(ROOT)) symlinkSync(join(ROOT, name), join(folder, name));
    const [here, there] = await Promise.all([agentBundle(ROOT, BUILT), agentBundle(folder, BUILT)]);
    expect(there).toEqual(here);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
