/** The real agent as its own process, for a host that is armed. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { formatClaim } from "../../proto/config/claim.ts";
import { type Program, startProgram } from "../lab/program.ts";
import type { ArmedHost } from "./load-agents.ts";

const MAIN = fileURLToPath(new URL("../../installer-agent/main.ts", import.meta.url));

export interface AgentOptions {
  /** Its folder below the test's. */
  readonly name?: string;
  /** Settings, as `--set` takes them. */
  readonly sets?: readonly string[];
  /** The line by which it counts as started; default: that it is attached. */
  readonly readyLine?: RegExp;
}

/** Attached when this resolves, unless another line is waited for. */
export async function startAgent(host: ArmedHost, folder: string, options: AgentOptions = {}): Promise<Program> {
  const { name = "agent", sets: more = [], readyLine = /attached/ } = options;
  const own = path.join(folder, name);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const [claim, facts] = [path.join(own, "claim.json"), path.join(own, "facts.json")];
  await writeFile(claim, formatClaim(host.claim), { mode: 0o600 });
  await writeFile(facts, JSON.stringify({ macs: [host.mac], serial: host.hostId }));
  const sets = ["backoff.min=100ms", "backoff.max=1s", ...more].flatMap((set) => ["--set", set]);
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
  return await startProgram({ argv, readyLine });
}
