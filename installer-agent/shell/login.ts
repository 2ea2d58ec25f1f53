import { accessSync, constants, existsSync } from "node:fs";
import { userInfo } from "node:os";
import { HpsError } from "../../proto/values/hps-error.ts";

/** Best first; the initramfs has only the last. */
const SHELLS: readonly (readonly [string, ...string[]])[] = [
  ["/bin/bash", "-l"],
  ["/bin/sh", "-l"],
  ["/bin/busybox", "sh", "-l"],
];

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The argv of the first login shell that this machine has. `isProgram` is for tests. */
export function loginShell(isProgram: (file: string) => boolean = isExecutable): readonly [string, ...string[]] {
  const shell = SHELLS.find(([file]) => isProgram(file));
  if (shell === undefined) {
    throw new HpsError("precondition", `this machine has no shell: none of ${SHELLS.map(([file]) => file).join(", ")}`);
  }
  return shell;
}

/** What a login as this user has in its environment, and nothing of the agent's own. */
export function loginEnvironment(shell: string, home: string): Readonly<Record<string, string>> {
  const { username } = userInfo();
  const user = { HOME: home, USER: username, LOGNAME: username, SHELL: shell };
  return { ...user, PATH, LANG: "C.UTF-8" };
}

/** The user's home, or the root where there is none. */
export function loginHome(): string {
  const { homedir } = userInfo();
  return existsSync(homedir) ? homedir : "/";
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
