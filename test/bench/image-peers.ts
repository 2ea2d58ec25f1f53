/** The programs that images are measured beside. */
import { execFileSync, spawnSync } from "node:child_process";
import { HpsError } from "../../proto/values/hps-error.ts";

/** Debian's packages and what each is asked for; tests need none of them but zstd and curl. */
const PEERS: Readonly<Record<string, string>> = {
  casync: "casync",
  ostree: "ostree",
  rsync: "rsync",
  "nginx-light": "nginx",
  zstd: "zstd",
  curl: "curl",
};

/** Installs those that are missing. nginx does not start by that: a machine that is measured serves nothing else. */
export function installPeers(): void {
  const missing = Object.entries(PEERS).flatMap(([name, program]) => (isThere(program) ? [] : [name]));
  if (missing.length === 0) return;
  const policy = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d";
  const install = `apt-get -qq install -y --no-install-recommends ${missing.join(" ")}`;
  // A machine may have a policy of its own, which then says so.
  const script = `[ -e /usr/sbin/policy-rc.d ] || { ${policy}; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }; ${install}`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    execFileSync("bash", ["-ec", script], { env, stdio: ["ignore", "ignore", "inherit"] });
  } catch (cause) {
    const hint = `run as root, after apt-get update: apt-get install ${missing.join(" ")}`;
    throw new HpsError("precondition", `not installed: ${missing.join(", ")}`, { hint, cause });
  }
}

function isThere(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}
