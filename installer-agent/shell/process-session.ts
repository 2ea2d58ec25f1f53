/** Process sessions as Linux shows them in /proc: what a shell started is found by the session it belongs to. */
import { readdir, readFile } from "node:fs/promises";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  /** Process group in the foreground of its terminal; -1 without one. */
  readonly foreground: number;
  /** In ticks since the machine was started. */
  readonly start: number;
}

const POLL_MS = 20;
/** For the kernel to end what was killed; only what waits for a device that does not answer takes longer. */
const KILL_MS = 10_000;
/** Counted from the state. */
const START_FIELD = 19;
const { SIGHUP, SIGCONT, SIGKILL } = constants.signals;

/**
 * Ends every process of the session: SIGHUP, and SIGKILL for what is left after `graceMs`. A process that made a
 * session of its own (setsid, a daemon) is not in it and lives on, as it asked to.
 */
export async function endProcessSession(session: number, graceMs: number): Promise<void> {
  await signalSession(session, [SIGHUP, SIGCONT]);
  if (await isGone(session, graceMs)) return;
  for (const until = performance.now() + KILL_MS; performance.now() < until; ) {
    // Again each time: a process may have started another while we looked.
    await signalSession(session, [SIGKILL]);
    if (await isGone(session, POLL_MS)) return;
  }
}

/** The process group that typed keys and signals go to; the leader's own when it has no terminal. */
export async function foregroundGroup(leader: number): Promise<number> {
  const stat = await statOf(leader);
  return stat !== undefined && stat.foreground > 0 ? stat.foreground : leader;
}

/** When it was started, in ticks since the machine was: with its number what tells a process from all others. */
export async function startOf(pid: number): Promise<number | undefined> {
  return (await statOf(pid))?.start;
}

/** A process or group (negative) that is already gone is what was wanted. */
export function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: gone. EPERM: taken by another since.
  }
}

/** Alive ones; a zombie runs nothing. */
export async function processesOf(session: number): Promise<number[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(names.map((name) => statOf(Number(name))));
  return stats.flatMap((stat) => (stat?.session === session && !"ZX".includes(stat.state) ? [stat.pid] : []));
}

async function signalSession(session: number, signals: readonly number[]): Promise<void> {
  for (const pid of await processesOf(session)) {
    for (const signal of signals) sendSignal(pid, signal);
  }
}

/** One look can miss a process whose parent started it and was gone while we looked: so nobody looks once. */
async function isEmpty(session: number): Promise<boolean> {
  return (await processesOf(session)).length === 0;
}

async function isGone(session: number, withinMs: number): Promise<boolean> {
  for (const until = performance.now() + withinMs; ; await delay(POLL_MS)) {
    if ((await isEmpty(session)) && (await isEmpty(session))) return true;
    if (performance.now() >= until) return false;
  }
}

/** proc(5): the name in brackets may hold anything, so fields are counted from the last bracket. */
async function statOf(pid: number): Promise<ProcessStat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, , , session, , foreground] = fields;
  const start = fields[START_FIELD];
  if (state === undefined || session === undefined || foreground === undefined || start === undefined) return undefined;
  return { pid, state, session: Number(session), foreground: Number(foreground), start: Number(start) };
}
