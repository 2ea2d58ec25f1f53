import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import { requestBody } from "../../certs/csr.ts";
import { makeKey } from "../../certs/key.ts";
import type { AttachRequestSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type ArmedHost, armHost, enrolHost, linesOf, rawAgent } from "./load-agents.ts";
import { residentBytes, startHpsd, until } from "./real-hpsd.ts";

type Say = NonNullable<MessageInitShape<typeof AttachRequestSchema>["message"]>;

const LOG_SIZE = 8 * 1024 * 1024;
const CONFIG = `limits:
  connectionsPerAddress: 2000
  requestsPerMinute: 100000
  enrolmentsPerMinute: 10000
  logSize: 8MiB
log:
  level: warn
`;
const GROWTH = 256 * 1024 * 1024;
/** Time bounds it: at the pace of one agent 1 GiB would take minutes. */
const FLOOD = 160 * 1024 * 1024;
const LINE = 16 * 1024;

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let before: number;
let number = 0;

beforeAll(async () => {
  hpsd = await startHpsd({ config: CONFIG });
  before = residentBytes(hpsd.program().pid);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

afterEach(async ({ task }) => {
  const hps = await hpsd.connect();
  expect(await hps.identity.whoAmI({})).toBeDefined();
  const now = residentBytes(hpsd.program().pid);
  expect(now - before).toBeLessThan(GROWTH);
  expect(hpsd.program().output()).not.toMatch(/"level":50|unexpectedly/);
  console.info(`${task.name}: grew by ${Math.round((now - before) / 1024 / 1024)} MiB`);
});

async function agent() {
  number += 1;
  const host = await armHost(hpsd.admin, number);
  const identity = await enrolHost(host, `${hpsd.folder}/agents`, { min: 100, max: 1_000 });
  const raw = rawAgent(identity);
  onTestFinished(() => raw[Symbol.dispose]());
  return { host, name: `lab/h${number}`, service: raw.service };
}

type Agent = Awaited<ReturnType<typeof agent>>;

const hello = (runId = randomUUID() as string): Say => ({ case: "hello", value: { runId, version: "0.1.0" } });
const line = (sequence: number | bigint, text: string | Uint8Array<ArrayBuffer>): Say => ({
  case: "log",
  value: { sequence: BigInt(sequence), text: new Uint8Array(Buffer.from(text)), source: "agent" },
});
const event = (sequence: number, body: Extract<Say, { case: "event" }>["value"]["event"]): Say => ({
  case: "event",
  value: { sequence: BigInt(sequence), ...(body && { event: body }) },
});
const plan = event(1, { case: "plan", value: { steps: ["a"] } });
const started = event(2, { case: "stepStarted", value: { step: "a" } });

/** Says all this and stays; what hpsd ended the stream with, or "acknowledged" when it took everything. */
async function saying(
  { service }: Agent,
  messages: Iterable<Say> | AsyncIterable<Say>,
  last?: bigint,
): Promise<unknown> {
  const stay = Promise.withResolvers<void>();
  async function* all() {
    for await (const message of messages) yield { message };
    await stay.promise;
  }
  try {
    for await (const { message } of service.attach(all())) {
      if (message.case === "acknowledgement" && message.value.sequence === last) return "acknowledged";
    }
    return "ended";
  } catch (error) {
    return error;
  } finally {
    stay.resolve();
  }
}

async function refusalsOf({ installation }: ArmedHost): Promise<number> {
  let count = 0;
  for await (const { target, outcome } of hpsd.admin.listAuditEvents({ target: `installation:${installation}` })) {
    if (target === `installation:${installation}` && outcome !== 1) count += 1;
  }
  return count;
}

test("an agent that says what it may not is cut off with the reason, and one audit event", async () => {
  const cases: readonly (readonly [string, readonly Say[], RegExp])[] = [
    ["a gap", [hello(), plan, line(3, "x")], /message 3 came, but 2 never did/],
    ["number 0", [hello(), line(0, "x")], /sequence number/],
    ["an endless number", [hello(), line(2n ** 62n, "x")], /sequence number/],
    ["a negative number", [hello(), line(-5, "x")], /sequence number/],
    ["Hello twice", [hello(), hello()], /once/],
    ["no Hello", [plan], /Hello/],
    ["a long line", [hello(), line(1, "x".repeat(70_000))], /longer than/],
    ["a step of escapes", [hello(), event(1, { case: "plan", value: { steps: ["\u001b[2J"] } })], /step's name/],
    [
      "a step nobody planned",
      [hello(), plan, event(2, { case: "stepStarted", value: { step: "b" } })],
      /not in the plan/,
    ],
    ["nothing", [hello(), { case: undefined }], /no known kind/],
  ];
  for (const [what, messages, why] of cases) {
    const hostile = await agent();
    const error = await saying(hostile, messages);
    expect(error, what).toMatchObject({ code: "invalid", message: expect.stringMatching(why) });
    expect(await refusalsOf(hostile.host), what).toBe(1);
  }
});

test("an agent gets and does nothing as another host", async () => {
  const [mine, other] = [await agent(), await agent()];
  const runId: string = randomUUID();
  const attached = saying(other, [hello(runId), plan], 1n);
  expect(await attached).toBe("acknowledged");
  expect(await saying(mine, [hello(runId), plan])).toMatchObject({ code: "invalid", message: /another agent's/ });
  await expect(mine.service.getConfiguration({ hostId: other.host.hostId })).rejects.toMatchObject({
    code: "not-found",
  });
  const certificateRequest = new Uint8Array(Buffer.from(requestBody(makeKey()), "base64"));
  const { installation } = other.host;
  const stolen = mine.service.issueHostCertificate({ installation, certificateRequest });
  await expect(stolen).rejects.toMatchObject({ code: "not-found" });
  const serve = mine.service.serveShell(
    (async function* () {
      yield { message: { case: "session" as const, value: randomUUID() as string } };
    })(),
  );
  await expect(serve[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "not-found" });
});

test("what an agent says is shown without a single control character", async () => {
  const hostile = await agent();
  const evil = "\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b5mred\u202egnp.exe\r\n\u0008\u0000";
  const raw = new Uint8Array([0x1b, 0x5b, 0x32, 0x4a, 0xff, 0xfe, 0x9b, 0xc3, 0x28]);
  const said = [
    ...[hello(), plan, started, line(3, evil), line(4, raw)],
    event(5, { case: "stepFailed", value: { step: "a", reason: evil } }),
  ];
  expect(await saying(hostile, said, 5n)).toBe("acknowledged");
  const commands = [
    ["installation", "log", hostile.name],
    ["installation", "get", hostile.name],
    ["installation", "watch", hostile.name, "--stop-when-stuck"],
    ["host", "get", hostile.name],
    ["audit", "ls"],
    ["installation", "get", hostile.name, "-o", "yaml"],
    ["installation", "get", hostile.name, "-o", "json"],
  ];
  for (const words of commands) {
    const { out, err } = await hpsd.hpsctl(...words);
    expect(out.length, words.join(" ")).toBeGreaterThan(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(`${out}${err}`, words.join(" ")).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  }
  // Kept as it was said.
  const stored = [];
  for await (const { text } of hpsd.admin.watchInstallationLog(hostile.host.installation))
    stored.push(Buffer.from(text));
  expect(stored).toEqual([Buffer.from(evil), Buffer.from(raw)]);
});

test(`${FLOOD / 1024 / 1024} MiB of log lines are slowed down, bounded on disk and in memory, and others are heard meanwhile`, async () => {
  const [hostile, honest] = [await agent(), await agent()];
  const lines = FLOOD / LINE;
  const text = new Uint8Array(LINE).fill(120);
  function* flood() {
    yield hello();
    for (let sequence = 1; sequence <= lines; sequence += 1) yield line(sequence, text);
  }
  let peak = 0;
  const looking = setInterval(() => {
    peak = Math.max(peak, residentBytes(hpsd.program().pid));
  }, 100);
  onTestFinished(() => clearInterval(looking));
  const began = performance.now();
  const flooding = saying(hostile, flood(), BigInt(lines));
  await until(
    "the flood is on",
    20_000,
    async () => (await linesOf(hpsd.admin, hostile.host.installation)).length > 10,
  );
  const asked = performance.now();
  expect(await saying(honest, [hello(), plan, line(2, "I am here")], 2n)).toBe("acknowledged");
  const heard = performance.now() - asked;
  expect(await flooding).toBe("acknowledged");
  const took = performance.now() - began;
  clearInterval(looking);
  expect(peak - before).toBeLessThan(GROWTH);
  const kept = await linesOf(hpsd.admin, hostile.host.installation);
  expect(kept.join("").length).toBeLessThan(2 * LOG_SIZE);
  const onDisk = ["hpsd.db", "hpsd.db-wal"].reduce((sum, name) => sum + statSync(`${hpsd.state}/${name}`).size, 0);
  expect(onDisk).toBeLessThan(192 * 1024 * 1024);
  const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);
  console.info(
    `${mib(FLOOD)} MiB in ${Math.round(took)} ms; peak grew by ${mib(peak - before)} MiB; ${mib(onDisk)} MiB on disk; an honest agent was acknowledged in ${Math.round(heard)} ms`,
  );
});
