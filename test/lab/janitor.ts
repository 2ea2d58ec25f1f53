import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { run } from "./run.ts";

const PREFIX = /^hps(\d+)-\S+/;
const FOLDER = "hps-lab-";

/** The processes first, without a race: `ip netns del` alone would leave them running in a namespace without a name. */
const SWEEP =
  'for ns in "$@"; do case $ns in /*) ;; *) ip netns pids "$ns" 2>/dev/null | xargs -r kill -9; ip netns del "$ns" 2>/dev/null;; esac; done; ' +
  'for folder in "$@"; do case $folder in /*/hps-lab-*) rm -rf -- "$folder";; esac; done';

let janitor: Writable | undefined;

/**
 * Tells the janitor of a namespace, before it is made. The janitor is a shell that waits for its standard input to end, which happens
 * however this process ends (kill -9 included), then removes what it was told of. In its own session, so that Ctrl-C does not end it first.
 */
export function ownNamespace(ns: string): void {
  own(ns);
}

function own(what: string): void {
  janitor ??= startJanitor();
  janitor.write(`${what}\n`);
}

function startJanitor(): Writable {
  const script = `set --; while read -r what; do set -- "$@" "$what"; done; ${SWEEP}`;
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  child.stdin.on("error", () => undefined);
  child.unref();
  return child.stdin;
}

/** A folder for temporary files that the janitor removes with this process, after the processes in its namespaces. */
export async function labFolder(): Promise<string> {
  const folder = join(tmpdir(), `${FOLDER}${process.pid}-${randomBytes(4).toString("hex")}`);
  own(folder);
  await mkdir(folder);
  await chmod(folder, 0o755); // dnsmasq's account passes through
  return folder;
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

/** The lab's folders that exist now, of all processes. */
export async function labFolders(): Promise<readonly { folder: string; owner: number }[]> {
  return (await readdir(tmpdir())).flatMap((name) => {
    const owner = name.startsWith(FOLDER) ? Number.parseInt(name.slice(FOLDER.length), 10) : Number.NaN;
    return Number.isNaN(owner) ? [] : [{ folder: join(tmpdir(), name), owner }];
  });
}

/** Removes what labs of processes that no longer live left behind (their janitor was killed too). */
export async function reapLeftovers(): Promise<void> {
  const dead = ({ owner }: { owner: number }) => !existsSync(`/proc/${owner}`);
  await removeNamespaces((await labNamespaces()).filter(dead).map(({ ns }) => ns));
  for (const { folder } of (await labFolders()).filter(dead)) await rm(folder, { recursive: true, force: true });
}
