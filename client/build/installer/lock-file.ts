import { z } from "zod";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseShape } from "../../../proto/values/parsed.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in hexadecimal");
const word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+:~-]*$/, "is not a name or version of a package");

const packageSchema = z.object({ name: word, version: word, architecture: word, sha256 });

const lockSchema = z.object({
  format: z.literal(1),
  /** Name of the kernel's package. */
  kernel: word,
  firmware: z.array(word),
  packages: z.array(packageSchema).min(1),
  /** When the agent says it was built, where its bundle was made by the build; ISO 8601. */
  built: z.iso.datetime().optional(),
  /** What does not come from packages: part of the agent to its digest. */
  agent: z.record(z.string(), sha256),
});

/** Everything an installer is made of: from the same lock comes the same installer, byte for byte. */
export type InstallerLock = z.output<typeof lockSchema>;

/** Reads `lock.json`. */
export function parseLock(text: string): InstallerLock {
  return parseShape(lockSchema, jsonOf(text), "the lock file");
}

export function formatLock(lock: InstallerLock): string {
  return `${JSON.stringify(lock, null, 2)}\n`;
}

/** Throws `precondition` naming the parts of the agent that are not those of the lock. */
export function checkAgent(lock: InstallerLock, agent: InstallerLock["agent"]): void {
  const names = [...new Set([...Object.keys(lock.agent), ...Object.keys(agent)])].sort();
  const other = names.filter((name) => lock.agent[name] !== agent[name]);
  if (other.length === 0) return;
  throw new HpsError("precondition", `this hpsctl brings another ${other.join(", ")} than the lock names`, {
    hint: "build with the hpsctl that wrote the lock, or without --lock",
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("invalid", "the lock file is not JSON", { cause });
  }
}
