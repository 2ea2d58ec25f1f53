import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { STATE, STATE_PLACE } from "../plan/agent-unit.ts";
import type { TargetRoot } from "../system/target-root.ts";
import { runTool } from "../system/tool.ts";

/** What OpenSSH makes by itself, by the same names. */
const KINDS = ["rsa", "ecdsa", "ed25519"] as const;
/** An RSA key of 3072 bits on a slow machine. */
const KEY_MS = 120_000;

export interface SshOrder {
  readonly root: TargetRoot;
  /** The state partition's folder. */
  readonly state: string;
  readonly hostName: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/**
 * New host keys on the state partition, so that they stay when the root is another, and links to them in the root. Keys
 * that came with the image are removed: others have them too. Gives the fingerprints, or undefined where the image has no
 * SSH server.
 */
export async function makeSshKeys({ root, state, hostName, signal, log }: SshOrder): Promise<string | undefined> {
  for (const name of await root.list("etc/ssh")) {
    if (name.startsWith("ssh_host_")) await root.remove(`etc/ssh/${name}`);
  }
  if (!(await root.has("usr/sbin/sshd"))) return undefined;
  const folder = join(state, STATE.ssh);
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  for (const kind of KINDS) {
    const file = join(fresh, keyName(kind));
    const words = ["-q", "-t", kind, "-N", "", "-C", `root@${hostName}`, "-f", file];
    await runTool(["ssh-keygen", ...words], { signal, log, limitMs: KEY_MS });
  }
  const shown = await runTool(["ssh-keygen", "-l", "-f", join(fresh, `${keyName("ed25519")}.pub`)], {
    ...{ signal, log, limitMs: KEY_MS, quiet: true },
  });
  await runTool(["sync"], { signal, log, limitMs: KEY_MS });
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
  for (const kind of KINDS) {
    for (const name of [keyName(kind), `${keyName(kind)}.pub`]) {
      await root.link(`etc/ssh/${name}`, `${STATE_PLACE}/${STATE.ssh}/${name}`);
    }
  }
  return shown.trim();
}

function keyName(kind: (typeof KINDS)[number]): string {
  return `ssh_host_${kind}_key`;
}
