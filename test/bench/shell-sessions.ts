/** Many terminals through one relay: how fast they are there, and what they cost it. */
import { readFileSync } from "node:fs";
import { connect } from "../../client/sdk/connect.ts";
import type { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { OperatorSession } from "../e2e/operator-session.ts";
import { TypedTerminal } from "../lab/typed-terminal.ts";
import type { HpsPath } from "./hps-path.ts";
import type { SshPath } from "./ssh-path.ts";

/** As many as a host takes. */
export const PER_HOST = 16;
/** That are opened at one time. */
const AT_ONCE = 4;

export interface Many {
  readonly perSecond: number;
  readonly bytesPerSession: number;
}

export async function manyOfHps(path: HpsPath, count: number): Promise<Many> {
  const { pid } = path.hpsd.program;
  using hps = await connect({ environment: path.environment });
  const open: OperatorSession[] = [];
  const before = privateBytes([pid]);
  const start = performance.now();
  await atOnce(count, async (index) => {
    open.push(await promptOfHps(hps.shells, path.hosts[Math.floor(index / PER_HOST)] ?? ""));
  });
  const many = measured(count, start, privateBytes([pid]) - before);
  await Promise.all(open.map(async (session) => await session.type("exit\n").then(() => session.exit())));
  return many;
}

export async function manyOfSsh(path: SshPath, count: number): Promise<Many> {
  await using all = new AsyncDisposableStack();
  const before = privateBytes(path.relay());
  const start = performance.now();
  await atOnce(count, async () => {
    const terminal = all.use(new TypedTerminal(path.terminal()));
    await terminal.type("echo rea''dy\n");
    await terminal.shows("ready\r\n");
  });
  return measured(count, start, privateBytes(path.relay()) - before);
}

async function promptOfHps(shells: Client<typeof ShellService>, host: string): Promise<OperatorSession> {
  const session = OperatorSession.open(shells, { host, term: "xterm", window: { rows: 24, columns: 80 } });
  await session.type("echo rea''dy\n");
  await session.shows(/ready\r\n/);
  return session;
}

async function atOnce(count: number, work: (index: number) => Promise<void>): Promise<void> {
  const waiting = Array.from({ length: count }, (_, index) => index).values();
  const worker = async () => {
    for (const index of waiting) await work(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function measured(count: number, start: number, bytes: number): Many {
  return { perSecond: (count / (performance.now() - start)) * 1000, bytesPerSession: bytes / count };
}

/** What these processes have of memory for themselves, and their share of what several of them have. */
function privateBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return sum + Number(kilobytes) * 1024;
  }, 0);
}
