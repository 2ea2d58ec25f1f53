import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ID } from "../../certs/test-chain.ts";
import { formatClaim } from "../../proto/config/claim.ts";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import { startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { STEPS } from "./steps.ts";

const ROUNDS = 50;

let hpsd: TestHpsd;
let agent: ChildProcess;
beforeEach(async () => {
  hpsd = await startTestHpsd();
  const digest = "ab".repeat(32);
  hpsd.attach.configuration = {
    ...{ image: "debian:12", installation: ID },
    imageSource: { file: { digest, sizeBytes: 1n }, format: ImageFormat.TAR, contentBytes: 1n, entries: 1n },
  };
  hpsd.attach.welcome = { proceed: false };
  agent = await startAgent();
});
afterEach(async () => {
  agent.kill("SIGKILL");
  await hpsd.stop();
});

/** The program itself: who stops a process of another kind does not see what the signals do to it. */
async function startAgent(): Promise<ChildProcess> {
  const claim = join(hpsd.folder, "claim");
  const facts = join(hpsd.folder, "facts");
  await writeFile(claim, formatClaim(hpsd.claim), { mode: 0o600 });
  await writeFile(facts, JSON.stringify(hpsd.agent.facts));
  const main = join(import.meta.dirname, "../main.ts");
  const args = ["--claim", claim, "--facts", facts, "--state", join(hpsd.folder, "state")];
  return spawn(process.execPath, [main, ...args], { stdio: "ignore" });
}

function paused(): boolean[] {
  return [...hpsd.attach.runs.values()].flat().flatMap((message) => {
    const event = message.case === "event" ? message.value.event : undefined;
    return event?.case === "rebootPaused" ? [event.value.paused] : [];
  });
}

test("SIGTSTP holds the restart, SIGCONT lets it go, any number of times, and hpsd is told of each", async () => {
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ["SIGTSTP", "SIGCONT"] as const) {
      const before = paused().length;
      agent.kill(name);
      await hpsd.attach.until(() => paused().length > before);
    }
  }
  expect(paused()).toEqual(Array.from({ length: 2 * ROUNDS }, (_, index) => index % 2 === 0));
  for (let round = 0; round < ROUNDS; round += 1) agent.kill(round % 3 === 0 ? "SIGCONT" : "SIGTSTP");
  agent.kill("SIGTSTP");
  await hpsd.attach.until(() => paused().at(-1) === true);
  const proceed = { case: "proceed", value: { doneSteps: STEPS.map(({ name }) => name) } } as const;
  attached.down.push({ message: { case: "command", value: { id: "c1", command: proceed } } });
  await hpsd.attach.until(() => hpsd.attach.events.some((text) => text.includes("the restart is held: hpsctl")));
  expect(agent.exitCode).toBeNull();
});
