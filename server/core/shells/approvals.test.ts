import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WindowSizeSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { LeaveSessionSchema } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { operatorCaller } from "../testing/callers.ts";
import { Approvals } from "./approvals.ts";
import type { OperatorOutput, Participant, ShellInput } from "./participant.ts";

const ALICE = operatorCaller("operator", "*", "alice");
const CAROL = operatorCaller("operator", "*", "carol");
const DAVE = operatorCaller("operator", "*", "dave");
const YES = { denied: false, reason: "" };
const ROW: SessionRow = {
  ...{ id: "s1", hostId: "h", clusterId: "c", cluster: "lab", host: "h1", operator: "alice", address: "192.0.2.1" },
  ...{ command: [], reason: "why", startedAt: 1, endedAt: null, exitCode: null, endReason: "", agentRun: "" },
  ...{
    recordingBytes: 0,
    recordingDigest: "",
    recorded: true,
    recordingRemovedAt: null,
    approver: "",
    endsAt: null,
    idleLimit: 0,
    certificate: "",
    strict: false,
  },
};

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface RigOptions {
  readonly command?: readonly string[];
  readonly beginFails?: boolean;
  readonly writeFails?: boolean;
}

async function ask({ command = [], beginFails = false, writeFails = false }: RigOptions = {}) {
  const log: string[] = [];
  const sent: ShellInput[] = [];
  const approvals = new Approvals({
    records: {
      ask: async ({ id }, { actor }) => void log.push(`asked ${id} ${actor.split("/").at(-1)}`),
      end: async (_row, _who, { reason }) => void log.push(`ended ${reason}`),
      touched: async (_row, { actor }, { reason, details }) => {
        if (writeFails) throw new Error("no disk");
        log.push(`${details.decision} by ${actor.split("/").at(-1)} ${reason}`.trimEnd());
      },
    },
    refusals: {
      refused: async (_who, { reason = "" }) => {
        log.push(`refused ${reason}`);
        return "incident1";
      },
    },
    onError: (error) => log.push(String(error)),
  });
  const real: Participant = {
    ...{ id: "p", session: ROW, output: oneOutput() },
    send: async (input) => void sent.push(input),
    leave: (reason) => void log.push(`left ${reason}`),
    refuse: ({ message }) => void log.push(`thrown out ${message}`),
  };
  const begin = async (approver: string) => {
    if (beginFails) throw new HpsError("unavailable", "the agent is gone");
    log.push(`begun ${approver}`);
    return real;
  };
  const participant = await approvals.ask(ALICE, { ...ROW, command }, begin);
  return { log, sent, approvals, participant, told: collect(participant.output) };
}

async function* oneOutput(): AsyncGenerator<OperatorOutput, void> {
  yield { case: "output", value: Buffer.from("$ ") };
}

async function collect(output: AsyncIterable<OperatorOutput>): Promise<string[]> {
  const told: string[] = [];
  for await (const message of output) {
    if (message.case === "notice") told.push(message.value.text);
    else if (message.case === "exit") told.push(`exit ${message.value.code} ${message.value.reason}`);
    else told.push(message.case);
  }
  return told;
}

const ASKING =
  "cluster lab wants another operator's approval; within 10 min one of them runs: hpsctl session approve s1";

test("another operator approves: the session begins, and its output follows in the same call", async () => {
  const [armed, cleared] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
  const { approvals, participant, told, log, sent } = await ask();
  expect(participant.session.id).toBe("s1");
  await participant.send({ case: "window", value: create(WindowSizeSchema, { rows: 9, columns: 8 }) });
  await participant.send({ case: "input", value: Buffer.from("lost keys") });
  await approvals.review(CAROL, "s1", { denied: false, reason: "ok" });
  expect(await told).toEqual([ASKING, "carol approved it", "output"]);
  expect(log).toEqual(["asked s1 alice", "approved by carol ok", "begun carol"]);
  await participant.send({ case: "input", value: Buffer.from("keys") });
  expect(sent).toMatchObject([{ case: "window", value: { rows: 9 } }, { case: "input" }]);
  participant.leave("gone");
  await vi.waitFor(() => expect(log.at(-1)).toBe("left gone"));
  // Its own timer alone: what another file of this process left behind may arm one too.
  const mine = armed.mock.results.filter((_, call) => armed.mock.calls[call]?.[1] === 600_000);
  expect(mine).toHaveLength(1);
  expect(cleared.mock.calls.map(([timer]) => timer)).toContain(mine[0]?.value);
});

test("another operator denies: nothing begins, and the sentence names who and why", async () => {
  const { approvals, told, log } = await ask();
  await approvals.review(CAROL, "s1", { denied: true, reason: "not tonight" });
  expect(await told).toEqual([ASKING, "exit 255 carol denied it: not tonight"]);
  expect(log).toEqual(["asked s1 alice", "denied by carol not tonight", "ended carol denied it: not tonight"]);
});

test("nobody approves its own session, by whatever certificate; it goes on waiting, and the refusal is an event", async () => {
  const { approvals, log } = await ask();
  const again = approvals.review(operatorCaller("admin", "*", "alice"), "s1", YES);
  await expect(again).rejects.toMatchObject({ code: "denied", details: { incident: "incident1" } });
  expect(log).toEqual(["asked s1 alice", "refused alice asked to approve its own session"]);
  expect(approvals.has("s1")).toBe(true);
});

test("the first word counts, and a session that does not wait is approved by nobody", async () => {
  const { approvals, told } = await ask();
  await approvals.review(CAROL, "s1", { denied: true, reason: "" });
  await expect(approvals.review(DAVE, "s1", YES)).rejects.toMatchObject({ code: "precondition" });
  await expect(approvals.review(DAVE, "s2", YES)).rejects.toMatchObject({ code: "precondition" });
  expect((await told).at(-1)).toBe("exit 255 carol denied it");
});

test("without a word it is over after ten minutes", async () => {
  const { approvals, told, log } = await ask();
  await vi.advanceTimersByTimeAsync(599_999);
  expect(approvals.has("s1")).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect((await told).at(-1)).toBe("exit 255 nobody approved it within 10 min");
  expect(log.at(-1)).toBe("ended nobody approved it within 10 min");
  await expect(approvals.review(CAROL, "s1", YES)).rejects.toMatchObject({ code: "precondition" });
});

test.each([
  [
    "its operator goes away",
    (p: Participant) => p.leave("the operator went away"),
    "the operator went away while it waited for approval",
  ],
  [
    "Ctrl-C is typed",
    (p: Participant) => p.send({ case: "input", value: Buffer.from("\u0003") }),
    "the operator gave up while it waited for approval",
  ],
  [
    "it is left",
    (p: Participant) => p.send({ case: "leave", value: create(LeaveSessionSchema) }),
    "the operator gave up while it waited for approval",
  ],
] as const)("when %s, it ends and is approved by nobody any more", async (_what, act, reason) => {
  const { approvals, participant, told, log } = await ask();
  await act(participant);
  expect((await told).at(-1)).toBe(`exit 255 ${reason}`);
  expect(log.at(-1)).toBe(`ended ${reason}`);
  await expect(approvals.review(CAROL, "s1", YES)).rejects.toMatchObject({ code: "precondition" });
});

test("an operator that is thrown out while it waits hears why", async () => {
  const { participant, told, log } = await ask();
  participant.refuse(new HpsError("unauthenticated", "your certificate is revoked: stolen"));
  await expect(told).rejects.toMatchObject({ code: "unauthenticated" });
  expect(log.at(-1)).toBe("ended your certificate is revoked: stolen");
});

test("what is piped into a command waits, bounded, and arrives in order", async () => {
  const { approvals, participant, sent, told } = await ask({ command: ["cat"] });
  const piece = (text: string) => ({ case: "input" as const, value: Buffer.from(text) });
  await participant.send(piece("\u0003 bytes"));
  let went = false;
  const large = participant.send(piece("x".repeat(256 * 1024))).then(async () => {
    went = true;
    await participant.send(piece("last"));
  });
  await vi.advanceTimersByTimeAsync(1000);
  expect([went, sent]).toEqual([false, []]);
  await approvals.review(CAROL, "s1", YES);
  await large;
  await told;
  expect(sent.map((input) => (input.case === "input" ? input.value.length : input.case))).toEqual([7, 262_144, 4]);
});

test("Ctrl-C of a command that waits gives up", async () => {
  const { participant, told } = await ask({ command: ["cat"] });
  await participant.send({ case: "input", value: Buffer.from("piped") });
  await participant.send({ case: "signal", value: 2 });
  expect((await told).at(-1)).toBe("exit 255 the operator gave up while it waited for approval");
});

test("a host that is gone by then is an error, and nothing waits on", async () => {
  const { approvals, told, log } = await ask({ beginFails: true });
  await approvals.review(CAROL, "s1", YES);
  await expect(told).rejects.toMatchObject({ code: "unavailable", message: "the agent is gone" });
  expect(log.at(-1)).toBe("ended the agent is gone");
});

test("an approval that cannot be written down is none", async () => {
  const { approvals, told, log } = await ask({ writeFails: true });
  await expect(approvals.review(CAROL, "s1", YES)).rejects.toThrow("no disk");
  expect((await told).at(-1)).toBe("exit 255 the approval could not be written down");
  expect(log.some((line) => line.startsWith("begun"))).toBe(false);
});

test("hpsd that stops tells those who wait", async () => {
  const { approvals, told, log } = await ask();
  await approvals.stop("hpsd is stopping");
  expect((await told).at(-1)).toBe("exit 255 hpsd is stopping");
  expect(log.at(-1)).toBe("ended hpsd is stopping");
});
