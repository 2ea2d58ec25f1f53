import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { Dice } from "../runner/dice.ts";
import { armHost, eachOf, enrolHost, rawAgent } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import { residentBytes, startHpsd } from "./real-hpsd.ts";
import { firstSaid, many, readSome, type Served, said, served } from "./shell-fuzz.ts";
import { gaugeOf } from "./shell-load.ts";

const SESSIONS = Number(process.env.HPS_FUZZ_SESSIONS ?? 120);
const AT_ONCE = 8;
const GROWTH = 160 * 2 ** 20;

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let before: number;
beforeAll(async () => {
  hpsd = await startHpsd();
  before = residentBytes(hpsd.program().pid);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

/** Another seed each time, told when it finds something. */
function seeds(): readonly Dice[] {
  const seed = Number(process.env.HPS_FUZZ_SEED ?? randomInt(2 ** 31));
  console.info(`HPS_FUZZ_SEED=${seed}`);
  return Array.from({ length: SESSIONS }, (_, number) => new Dice(seed + number));
}

/** Says all this, and now and then ends whatever is open, whose places the next need. */
async function fuzz(dice: Dice, host: string): Promise<void> {
  const messages = many(dice, firstSaid(dice, host), () => said(dice, host));
  await readSome(dice, (signal) => hpsd.admin.shells.openSession(messages, { signal }));
  if (dice.roll(6) === 0) await endOpen();
}

async function endOpen(): Promise<void> {
  for await (const { id } of hpsd.admin.listSessions({ openOnly: true })) {
    // It may end by itself meanwhile.
    await hpsd.admin.shells.killSession({ session: id, reason: "enough" }).catch(() => undefined);
  }
}

/** hpsd lives, is no larger, and every session ends as an operator wants it to, with a recording that bears what was noted of it. */
async function allEndsWell(): Promise<void> {
  await endOpen();
  await expect.poll(() => gaugeOf(hpsd, "hps_shell_sessions"), { timeout: 30_000 }).toBe(0);
  expect(await gaugeOf(hpsd, "hps_shell_buffered_bytes")).toBe(0);
  let ended = 0;
  for await (const session of hpsd.admin.listSessions({})) {
    expect(session.endTime).toBeDefined();
    expect(session.recordingDigest).toMatch(/^sha256:/);
    ended += 1;
  }
  expect(ended).toBeGreaterThan(SESSIONS / 4);
  expect(residentBytes(hpsd.program().pid) - before).toBeLessThan(GROWTH);
  expect(hpsd.program().output()).not.toMatch(/"level":50|unexpectedly/);
}

test("an operator that says anything in any order and size: every session ends recorded, nothing is left", async () => {
  const agent = await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
  await eachOf(seeds(), AT_ONCE, async (dice) => await fuzz(dice, "lab/h1"));
  await allEndsWell();
  expect(agent.output()).not.toContain("unexpected");
  await expect.poll(() => childrenOf(agent.pid), { timeout: 30_000 }).toBe("");
});

test("an agent that says anything of its sessions, in any order and size: the same", async () => {
  const host = await armHost(hpsd.admin, 2);
  using raw = rawAgent(await enrolHost(host, `${hpsd.folder}/agents`, { min: 100, max: 1000 }));
  const over = new AbortController();
  const dices = seeds();
  const serving = hostileAgent(raw.service, dices, over.signal);
  await eachOf(dices, AT_ONCE, async (dice) => await fuzz(dice, "lab/h2"));
  await allEndsWell();
  over.abort();
  await serving;
});

/** What a program has started and not seen the end of. */
function childrenOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
}

/** Attached; answers each shell it is asked for with a stream of nonsense. */
async function hostileAgent(service: Client<typeof AgentService>, dices: readonly Dice[], signal: AbortSignal) {
  const answers: string[] = [];
  let wake = () => {};
  async function* says() {
    yield { message: { case: "hello" as const, value: { runId: randomUUID() as string, version: "0.1.0" } } };
    while (!signal.aborted) {
      const commandId = answers.shift();
      if (commandId !== undefined) yield { message: { case: "result" as const, value: { commandId, error: "" } } };
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  let number = 0;
  try {
    for await (const { message } of service.attach(says(), { signal })) {
      if (message.case !== "command" || message.value.command.case !== "openShell") continue;
      answers.push(message.value.id);
      wake();
      const dice = dices[number % dices.length] ?? new Dice(number);
      number += 1;
      void serveNonsense(service, message.value.command.value.session, new Dice(dice.roll(2 ** 31)));
    }
  } catch {
    // Over.
  }
  wake();
}

async function serveNonsense(service: Client<typeof AgentService>, session: string, dice: Dice): Promise<void> {
  const first: Served = dice.roll(8) === 0 ? served(dice, session) : { message: { case: "session", value: session } };
  const messages = many(dice, first, () => served(dice, session));
  await readSome(dice, (signal) => service.serveShell(messages, { signal }));
}
