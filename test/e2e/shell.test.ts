import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { processesOf } from "../../installer-agent/shell/process-session.ts";
import { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import { client } from "../../proto/rpc/rpc-client.ts";
import { OperatorSession } from "./operator-session.ts";
import { auditOf, type ShellRig, startShellRig } from "./shell-rig.ts";

const WINDOW = { rows: 33, columns: 101 };

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function terminal(rig: ShellRig): OperatorSession {
  return OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm", window: WINDOW, reason: "why" });
}

function command(rig: ShellRig, ...argv: string[]): OperatorSession {
  return OperatorSession.open(rig.operator, { host: "lab/h1", command: argv });
}

async function rowOf(rig: ShellRig, session: OperatorSession) {
  const { id } = await session.session;
  return await rig.operator.getSession({ session: id });
}

async function shellPid(session: OperatorSession): Promise<number> {
  await session.type("echo pid=$$.\n");
  return Number((await session.shows(/pid=(\d+)\./))[1]);
}

test("a terminal from key to exit code, recorded byte for byte", async () => {
  await using rig = await startShellRig();
  const session = terminal(rig);
  expect(await session.session).toMatchObject({ cluster: "lab", host: "h1", operator: "alice", reason: "why" });
  await session.type("stty size; echo $TERM\n");
  await session.shows(/33 101\r\nxterm/);
  await session.send({ case: "window", value: { rows: 50, columns: 60 } });
  await session.type("stty size\n");
  await session.shows(/50 60/);
  await session.type("printf '\\360\\237\\230\\200\\377'; exit 7\n");
  expect(await session.exit()).toMatchObject({ code: 7, signal: 0, reason: "" });
  const row = await rowOf(rig, session);
  expect(row).toMatchObject({ exitCode: 7, endReason: "" });
  expect(await rig.recordingOf(row, "raw")).toEqual(Buffer.concat(session.output));
  const cast = await rig.recordingOf(row, "cast");
  expect(row.recordingDigest).toBe(`sha256:${sha256(cast)}`);
  const [header = "", ...lines] = cast.toString("utf8").trimEnd().split("\n");
  expect(JSON.parse(header)).toMatchObject({ version: 3, term: { cols: 101, rows: 33, type: "xterm" } });
  const events: [number, string, string][] = lines.slice(0, -1).map((line) => JSON.parse(line));
  const shown = events.filter(([, code]) => code === "o").map(([, , data]) => data);
  expect(shown.join("")).toBe(session.text);
  expect(events.filter(([, code]) => code === "r").map(([, , data]) => data)).toEqual(["60x50"]);
  expect(events.at(-1)?.slice(1)).toEqual(["x", "7"]);
  const audit = await auditOf(rig);
  expect(audit.map(({ action }) => action)).toEqual(["hps.v1.ShellService/OpenSession", "session.end"]);
});

test("a command in a pipe: a few megabytes of noise both ways, standard error apart", async () => {
  await using rig = await startShellRig();
  const noise = randomBytes(4_000_000);
  const session = command(rig, "sh", "-c", "cat; echo done >&2; kill -9 $$");
  void (async () => {
    for (let offset = 0; offset < noise.length; offset += 64 * 1024) {
      await session.send({ case: "input", value: noise.subarray(offset, offset + 64 * 1024) });
    }
    await session.send({ case: "endOfInput", value: {} });
  })();
  expect(await session.exit()).toMatchObject({ code: 137, signal: 9 });
  expect(sha256(Buffer.concat(session.output))).toBe(sha256(noise));
  expect(Buffer.concat(session.errorOutput).toString()).toBe("done\n");
  const lines = (await rig.recordingOf(await session.session, "jsonl")).toString("utf8").trimEnd().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
    ...{ exit: 137, inputBytes: "4000000", inputDigest: `sha256:${sha256(noise)}` },
    outputDigest: `sha256:${sha256(noise)}`,
  });
});

test("what is pasted into a terminal and echoed comes back whole, though it is more than all that is kept on the way", async () => {
  await using rig = await startShellRig();
  const noise = randomBytes(2_000_000);
  const session = terminal(rig);
  await session.type("stty raw -echo; echo rea'dy'; head -c 2000000; exit 4\n");
  await session.shows(/ready\n/);
  const begin = Buffer.concat(session.output).length;
  void (async () => {
    for (let offset = 0; offset < noise.length; offset += 64 * 1024) {
      await session.send({ case: "input", value: noise.subarray(offset, offset + 64 * 1024) });
    }
  })();
  expect(await session.exit()).toMatchObject({ code: 4 });
  expect(sha256(Buffer.concat(session.output).subarray(begin, begin + noise.length))).toBe(sha256(noise));
});

test("a program that is not there is told as a shell tells it", async () => {
  await using rig = await startShellRig();
  const exit = await command(rig, "no-such-program").exit();
  expect(exit).toMatchObject({ code: 127, reason: 'no program "no-such-program" on this machine' });
});

test("an operator that stops reading holds the flood at its source, every hop bounded", async () => {
  await using rig = await startShellRig();
  const session = command(rig, "head", "-c", "100000000", "/dev/zero");
  const { id } = await session.session;
  await expect.poll(() => rig.shells.bufferedBytes.get(id), { timeout: 10_000 }).toBeGreaterThan(256 * 1024);
  const before = process.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(rig.shells.bufferedBytes.get(id)).toBeLessThan(4 * 1024 * 1024);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  // A second session on the same connections is not held up by the first.
  const other = command(rig, "echo", "quick");
  expect(await other.exit()).toMatchObject({ code: 0 });
  expect(Buffer.concat(other.output).toString()).toBe("quick\n");
  let read = 0;
  for (let message = await session.next(); message?.case === "output"; message = await session.next()) {
    read += message.value.length;
    session.output.length = 0;
  }
  expect(read).toBe(100_000_000);
});

test("an operator that goes away and does not come back leaves nothing running", async () => {
  await using rig = await startShellRig({ limits: { holdMs: 600 } });
  const session = terminal(rig);
  const pid = await shellPid(session);
  await session.type("nohup sleep 2001 & sleep 2002\n");
  await expect.poll(async () => (await processesOf(pid)).length).toBe(3);
  session.cancel();
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
  await expect.poll(async () => (await rowOf(rig, session)).endReason).toBe("nobody came back to it within 0.01 min");
});

test("an operator whose certificate is revoked is out at once", async () => {
  await using rig = await startShellRig();
  const bob = await rig.operatorNamed("bob", { "*": "operator" });
  const session = terminal(rig);
  const pid = await shellPid(session);
  const { store, certificates } = rig.identity;
  const ended = session.exit().catch((error: unknown) => error);
  await store.write((tx) => certificates.revoke(tx, { serial: rig.operatorSerial }, "laptop stolen"));
  expect(await ended).toMatchObject({ code: "unauthenticated" });
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
  expect(await processesOf(pid)).toEqual([]);
  const { id } = await session.session;
  await expect
    .poll(async () => (await bob.getSession({ session: id })).endReason)
    .toBe("alice was thrown out: its certificate is revoked: laptop stolen");
});

test("an agent that goes away is a sentence for the operator; a terminal waits for it first", async () => {
  await using rig = await startShellRig({ limits: { lostMs: 600 } });
  const [session, pipe] = [terminal(rig), command(rig, "cat")];
  await shellPid(session);
  await pipe.session;
  rig.agentChannel.close();
  const cut = "the connection to the host's agent was lost";
  expect(await pipe.exit()).toMatchObject({ code: 255, reason: cut });
  const reason = "the agent of host h1 was out of reach for 0.01 min";
  expect(await session.exit()).toMatchObject({ code: 255, reason });
  expect(session.notices).toEqual(["host h1 is out of reach; the session waits for it, at most 0.01 min"]);
  expect(await rowOf(rig, session)).toMatchObject({ exitCode: 255, endReason: reason });
});

test("an hpsd that stops tells the operators, ends commands and leaves terminals to the next", async () => {
  await using rig = await startShellRig();
  const [session, pipe] = [terminal(rig), command(rig, "sh", "-c", "echo $$; cat")];
  const pid = await shellPid(session);
  await pipe.shows(/\n/);
  const stopped = rig.shells.stop(5000).then(async () => await rig.server.stop(1000));
  expect(await session.last()).toMatchObject({
    case: "detached",
    value: { reason: "hpsd is stopping", comeBack: true },
  });
  expect(await pipe.exit()).toMatchObject({ reason: "hpsd is stopping" });
  await stopped;
  await expect.poll(async () => await processesOf(Number(pipe.text)), { timeout: 10_000 }).toEqual([]);
  expect((await processesOf(pid)).length).toBe(1);
});

test("only the agent of the host may serve its session: not-found and one event for any other", async () => {
  await using rig = await startShellRig();
  const stranger = await rig.stranger();
  const refusals: unknown[] = [];
  rig.onCommand = async (shell) => {
    const hostile = async function* () {
      yield { message: { case: "session" as const, value: shell.session } };
      yield { message: { case: "output" as const, value: Buffer.from("password: ") } };
    };
    try {
      for await (const _ of stranger.serveShell(hostile())) expect.unreachable();
    } catch (error) {
      refusals.push(error);
    }
    await rig.agent.start(shell, client(AgentService, rig.agentChannel).serveShell);
  };
  const session = command(rig, "echo", "mine");
  expect(await session.exit()).toMatchObject({ code: 0 });
  expect(Buffer.concat(session.output).toString()).toBe("mine\n");
  expect(refusals).toMatchObject([{ code: "not-found" }]);
  const refused = (await auditOf(rig)).filter(({ outcome }) => outcome === "refused");
  expect(refused).toMatchObject([
    { action: "hps.v1.AgentService/ServeShell", target: `session:${(await session.session).id}` },
  ]);
});

test.each([
  ["a viewer", { "*": "viewer" }, "denied"],
  ["an operator of another cluster", { other: "operator" }, "not-found"],
] as const)("%s opens no shell", async (_who, roles, code) => {
  await using rig = await startShellRig();
  const mallory = await rig.operatorNamed("mallory", roles);
  const session = OperatorSession.open(mallory, { host: "lab/h1" });
  await expect(session.session).rejects.toMatchObject({ code });
  expect(rig.agent.count).toBe(0);
  expect((await auditOf(rig)).map(({ outcome }) => outcome)).toEqual(["refused"]);
});

test("what an operator sends in a wrong order or size is refused, and the session ends", async () => {
  await using rig = await startShellRig();
  const wrong = [
    { case: "signal", value: 99 },
    { case: "window", value: { rows: 0, columns: 1 } },
    { case: "input", value: new Uint8Array(300_000) },
    { case: "start", value: { host: "lab/h1" } },
  ] as const;
  for (const message of wrong) {
    const session = terminal(rig);
    await session.session;
    await session.send(message);
    await expect(session.exit()).rejects.toMatchObject({ code: "invalid" });
  }
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
  const first = rig.operator.openSession(only({ message: { case: "signal" as const, value: 1 } }));
  await expect(first[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "invalid" });
});

async function* only<T>(item: T): AsyncGenerator<T, void> {
  yield item;
}

test("an agent that breaks the protocol is cut off with a sentence", async () => {
  await using rig = await startShellRig();
  rig.onCommand = async ({ session }) => {
    const hostile = async function* () {
      yield { message: { case: "session" as const, value: session } };
      yield { message: { case: "output" as const, value: new Uint8Array(300_000) } };
      await new Promise(() => undefined);
    };
    void drain(client(AgentService, rig.agentChannel).serveShell(hostile()));
  };
  const { reason } = await terminal(rig).exit();
  expect(reason).toBe("the agent broke the protocol: 300000 bytes of output in one message, above 262144");
});

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch {
    // Ended by the server.
  }
}

test("sessions are listed to who may see them", async () => {
  await using rig = await startShellRig();
  for (const word of ["one", "two", "three"]) await command(rig, "echo", word).exit();
  const open = terminal(rig);
  await open.session;
  const first = await rig.operator.listSessions({ pageSize: 3 });
  expect(first.sessions.map((session) => session.command[1])).toEqual([undefined, "three", "two"]);
  const second = await rig.operator.listSessions({ pageSize: 3, pageToken: first.nextPageToken });
  expect(second.sessions.map((session) => session.command[1])).toEqual(["one"]);
  expect(second.nextPageToken).toBe("");
  expect((await rig.operator.listSessions({ cluster: "lab", openOnly: true })).sessions).toHaveLength(1);
  const other = await rig.operatorNamed("carol", { elsewhere: "viewer" });
  expect((await other.listSessions({})).sessions).toEqual([]);
  await expect(other.getSession({ session: (await open.session).id })).rejects.toMatchObject({ code: "not-found" });
});
