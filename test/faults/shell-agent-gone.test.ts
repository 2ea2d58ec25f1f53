import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { OperatorSession } from "../e2e/operator-session.ts";
import { armHost } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import { startHpsd, until } from "./real-hpsd.ts";

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
beforeAll(async () => {
  hpsd = await startHpsd();
});
afterAll(async () => await hpsd[Symbol.asyncDispose]());

async function openBoth(host: string) {
  const { shells } = hpsd.admin;
  const terminal = OperatorSession.open(shells, { host, term: "xterm" });
  await terminal.session;
  await terminal.type("(trap '' HUP; exec sleep 1021) & stty -echo; echo pid=$$,$!.\n");
  const [, shell, job] = await terminal.shows(/pid=(\d+),(\d+)\./);
  const command = OperatorSession.open(shells, { host, command: ["sh", "-c", "echo $$; exec sleep 1022"] });
  await command.shows(/\n/);
  return { terminal, command, pids: [Number(shell), Number(job), Number(command.text)] };
}

function gone(pids: readonly number[]): boolean {
  return pids.every((pid) => !existsSync(`/proc/${pid}`));
}

test("what an agent that was killed left running the next one ends, and each operator reads what happened", async () => {
  const host = await armHost(hpsd.admin, 1);
  const first = await startAgent(host, hpsd.folder, { name: "killed" });
  const { terminal, command, pids } = await openBoth("lab/h1");
  const ended = Promise.all([terminal.exit(), command.exit()]);
  await first.stop("SIGKILL");
  expect(gone(pids)).toBe(false);
  const second = await startAgent(host, hpsd.folder, { name: "killed" });
  onTestFinished(async () => void (await second.stop()));
  await until("nothing is left", 10_000, () => gone(pids));
  expect(await ended).toMatchObject([
    { code: 255, reason: expect.stringContaining("was started anew, and what ran under it is gone") },
    { code: 255, reason: "the connection to the host's agent was lost" },
  ]);
});
