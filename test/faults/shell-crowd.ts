/** Many sessions on one hpsd, and many who watch one. */
import { expect } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { OperatorSession } from "../e2e/operator-session.ts";
import { armHost, eachOf } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import type { RealHpsd } from "./real-hpsd.ts";

/** What hpsd and an agent take. */
const PER_HOST = 16;
/** Calls at one time on one connection: hpsd takes 128. */
const PER_CONNECTION = 100;
/** Opened at one time. */
const WIDTH = 8;
const WINDOW = { rows: 24, columns: 80 };

type Hpsd = RealHpsd & { readonly admin: Hps };

/** Terminals on as many hosts as it takes; each has shown its own number. */
export async function openMany(hpsd: Hpsd, count: number): Promise<readonly OperatorSession[]> {
  const hosts = Array.from({ length: Math.ceil(count / PER_HOST) }, (_, index) => index + 1);
  await eachOf(hosts, 4, async (number) => {
    await startAgent(await armHost(hpsd.admin, number), hpsd.folder, { name: `agent-${number}` });
  });
  const connections = await connectionsFor(hpsd, count);
  const numbers = Array.from({ length: count }, (_, index) => index);
  return await eachOf(numbers, WIDTH, async (number) => {
    const { shells } = connections[Math.floor(number / PER_CONNECTION)] ?? hpsd.admin;
    const host = `lab/h${Math.floor(number / PER_HOST) + 1}`;
    const session = OperatorSession.open(shells, { host, term: "xterm", window: WINDOW });
    await session.type(`PS1=; echo number-$((${number} * 3)).\n`);
    await session.shows(new RegExp(`number-${number * 3}\\.`));
    return session;
  });
}

/** All type at once, and each has its own answer. */
export async function askAll(sessions: readonly OperatorSession[]): Promise<void> {
  const ask = async (session: OperatorSession, number: number) => {
    await session.type(`echo again-$((${number} * 7)).\n`);
    await session.shows(new RegExp(`again-${number * 7}\\.`));
  };
  await Promise.all(sessions.map(ask));
}

/** All leave; their exit codes. */
export async function endAll(sessions: readonly OperatorSession[]): Promise<readonly number[]> {
  return await Promise.all(
    sessions.map(async (session) => {
      await session.type("exit 3\n");
      return (await session.exit()).code;
    }),
  );
}

/** So many watch it. */
export async function watchAll(hpsd: Hpsd, watched: OperatorSession, count: number) {
  const { id: session } = await watched.session;
  const connections = await connectionsFor(hpsd, count);
  return await eachOf(Array.from({ length: count }), WIDTH, async (_, number) => {
    const { shells } = connections[Math.floor(number / PER_CONNECTION)] ?? hpsd.admin;
    const watcher = OperatorSession.attach(shells, { session });
    await watcher.session;
    return watcher;
  });
}

/** The watched one runs something and ends: everybody was shown all of it, to the last byte. */
export async function allSeeTheSame(watched: OperatorSession, watchers: readonly OperatorSession[]): Promise<void> {
  const all = [watched, ...watchers];
  await watched.type("seq 2000; echo do''ne; exit 3\n");
  expect((await Promise.all(all.map((each) => each.exit()))).map(({ code }) => code)).toEqual(all.map(() => 3));
  const [own = "", ...seen] = all.map(({ text }) => text.slice(text.indexOf("1\r\n2\r\n3\r\n")));
  expect(own).toContain("\r\n2000\r\ndone\r\n");
  expect(new Set(seen)).toEqual(new Set([own]));
}

async function connectionsFor(hpsd: RealHpsd, calls: number): Promise<readonly Hps[]> {
  return await Promise.all(Array.from({ length: Math.ceil(calls / PER_CONNECTION) }, () => hpsd.connect()));
}
