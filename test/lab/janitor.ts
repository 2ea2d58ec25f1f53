import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { run } from "./run.ts";

const PREFIX = /^hps(\d+)-\S+/;

/** The processes first, without a race: `ip netns del` alone would leave them running in a namespace without a name. */
const SWEEP =
  'for ns in "$@"; do ip netns pids "$ns" 2>/dev/null | xargs -r kill -9; ip netns del "$ns" 2>/dev/null; done';

/**
 * A shell that waits for its standard input to end, which happens however this process ends (kill -9 included),
 * then removes the namespaces it was told of. In its own session, so that Ctrl-C does not end it first.
 */
export function startJanitor(): { own(ns: string): void; close(): void } {
  const script = `set --; while read -r ns; do set -- "$@" "$ns"; done; ${SWEEP}`;
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  child.stdin.on("error", () => undefined);
  child.unref();
  return {
    own: (ns) => void child.stdin.write(`${ns}\n`),
    close: () => void child.stdin.end(),
  };
}

/** Kills what runs in the namespaces and removes them. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  if (names.length > 0) await run(["sh", "-c", SWEEP, "sweep", ...names]);
}

/** The lab's namespaces that exist now, of all processes. */
export async function labNamespaces(): Promise<readonly { ns: string; owner: number }[]> {
  const { stdout } = await run(["ip", "netns", "list"]);
  return stdout.split("\n").flatMap((line) => {
    const match = PREFIX.exec(line);
    return match === null ? [] : [{ ns: match[0], owner: Number(match[1]) }];
  });
}

/** Removes what labs of processes that no longer live left behind (their janitor was killed too). */
export async function reapLeftovers(): Promise<void> {
  const all = await labNamespaces();
  await removeNamespaces(all.filter(({ owner }) => !existsSync(`/proc/${owner}`)).map(({ ns }) => ns));
}
