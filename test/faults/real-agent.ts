/** The real agent as its own process, for a host that is armed. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { formatClaim } from "../../proto/config/claim.ts";
import { type Program, startProgram } from "../lab/program.ts";
import type { ArmedHost } from "./load-agents.ts";

const MAIN = fileURLToPath(new URL("../../installer-agent/main.ts", import.meta.url));

/** Attached when this resolves. `name` is its folder below `folder`. */
export async function startAgent(host: ArmedHost, folder: string, name = "agent"): Promise<Program> {
  const own = path.join(folder, name);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const [claim, facts] = [path.join(own, "claim.json"), path.join(own, "facts.json")];
  await writeFile(claim, formatClaim(host.claim), { mode: 0o600 });
  await writeFile(facts, JSON.stringify({ macs: [host.mac], serial: host.hostId }));
  const sets = ["--set", "backoff.min=100ms", "--set", "backoff.max=1s"];
  const argv = [
    process.execPath,
    MAIN,
    "--claim",
    claim,
    "--facts",
    facts,
    "--state",
    path.join(own, "state"),
    ...sets,
  ];
  return await startProgram({ argv, readyLine: /attached/ });
}
