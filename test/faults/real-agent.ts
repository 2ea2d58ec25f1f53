/** The real agent as its own process, for a host that is armed. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { formatClaim } from "../../proto/config/claim.ts";
import { type Program, startProgram } from "../lab/program.ts";
import type { ArmedHost } from "./load-agents.ts";

const MAIN = fileURLToPath(new URL("../../installer-agent/main.ts", import.meta.url));

/** In a mount namespace of its own; the agent keeps the process id. */
const WITH_PASSWD = 'mount --bind "$1" /etc/passwd && shift && exec "$@"';

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
  const passwd = await passwdFor(own);
  const sets = ["backoff.min=100ms", "backoff.max=1s", ...more].flatMap((set) => ["--set", set]);
  const argv = [
    ...["unshare", "--mount", "sh", "-c", WITH_PASSWD, "sh", passwd],
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

/**
 * Root's home in the shells of this agent is empty: what the profile of whoever runs the tests does, and leaves behind when a test kills
 * it, is no part of them.
 */
async function passwdFor(folder: string): Promise<string> {
  const [file, home] = [path.join(folder, "passwd"), path.join(folder, "home")];
  await mkdir(home, { recursive: true });
  const known = await readFile("/etc/passwd", "utf8");
  await writeFile(
    file,
    known.replace(/^(root(?::[^:\n]*){4}:)[^:\n]*/m, (_all, before: string) => `${before}${home}`),
  );
  return file;
}
