import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostDoorName } from "../../certs/host-door.ts";
import { makePeer, PEERS, type TestPeer } from "../../certs/test-chain.ts";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { DirectShellService } from "../../proto/gen/hps/v1/direct_pb.ts";
import type { OpenSessionRequestSchema, StartSessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { SessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { type Channel, openChannel } from "../../proto/rpc/channel.ts";
import { client } from "../../proto/rpc/rpc-client.ts";
import { createLog } from "../log.ts";
import { ShellSessions } from "../shell/shell-sessions.ts";
import { TEST_SHELLS } from "../shell/testing/session-rig.ts";
import { Door } from "./door.ts";
import { Recordings } from "./recordings.ts";
import { type DirectList, readSignedList } from "./signed-list.ts";
import { type ListRig, openListRig } from "./testing/list-rig.ts";

type Request = MessageInitShape<typeof OpenSessionRequestSchema>;

let rig: ListRig;
let folder: string;
let door: Door;
let port: number;
let list: DirectList | string;
let shells: ShellSessions;
const channels: Channel[] = [];
const lines: string[] = [];

async function openDoor(more: Partial<DirectList> = {}, sessionSize = 1_000_000): Promise<void> {
  const log = createLog("info", (line) => void lines.push(line));
  const recordings = new Recordings(folder, { sessionSize, size: 2_000_000 }, log);
  await recordings.openFolder();
  const good = { ...readSignedList(await rig.sign(), rig), ...more };
  list = good;
  const own = { port: 0, roots: rig.roots, list: () => list, lastWordsMs: 300 };
  const options = { ...own, shells, recordings, log, onEnd: () => undefined };
  ({ door, port } = await Door.open(options, good));
}

beforeEach(async () => {
  rig = await openListRig();
  folder = await mkdtemp(join(tmpdir(), "hps-door-"));
  shells = new ShellSessions(TEST_SHELLS);
});
afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  await shells.close();
  await door?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A session as an operator's program has it. */
function enter(start: MessageInitShape<typeof StartSessionSchema>, peer: TestPeer | undefined = rig.operator) {
  const tls = { ca: rig.chain.root.certificate.toString(), serverName: hostDoorName("lab", "web01") };
  const own = peer === undefined ? {} : rig.pairOf(peer);
  const channel = openChannel({ address: `127.0.0.1:${port}`, version: "0.1.0", tls: { ...tls, ...own } });
  channels.push(channel);
  const input = new BoundedQueue<Request>({ capacity: 1e6, sizeOf: () => 0 });
  void input.put({ message: { case: "start", value: start } });
  const seen = { session: create(SessionSchema), output: "", error: "", notices: [] as string[] };
  const done = (async () => {
    for await (const { message } of client(DirectShellService, channel).openSession(input)) {
      if (message.case === "session") seen.session = message.value;
      if (message.case === "output") seen.output += Buffer.from(message.value).toString();
      if (message.case === "errorOutput") seen.error += Buffer.from(message.value).toString();
      if (message.case === "notice") seen.notices.push(message.value.text);
      if (message.case === "exit") return message.value;
    }
    return undefined;
  })();
  done.catch(() => undefined);
  const type = async (text: string) => void (await input.put({ message: { case: "input", value: Buffer.from(text) } }));
  return {
    seen,
    done,
    type,
    send: async (message: Request["message"]) => void (await input.put({ ...(message && { message }) })),
    input,
  };
}

test("a terminal and a command run as through hpsd, and say that this host keeps their recording", async () => {
  await openDoor();
  const terminal = enter({ host: "lab/web01", term: "xterm", window: { rows: 33, columns: 101 } });
  await terminal.type("stty size; echo co'm'plete\n");
  await expect.poll(() => terminal.seen.output, { timeout: 5000 }).toMatch(/33 101[\s\S]*complete/);
  await terminal.send({ case: "detach", value: {} });
  await terminal.type("exit 5\n");
  expect(await terminal.done).toMatchObject({ code: 5 });
  expect(terminal.seen.session).toMatchObject({ host: "web01", cluster: "lab", operator: "alice", keptByAgent: true });
  expect(terminal.seen.notices).toEqual([
    expect.stringContaining("nobody else takes part"),
    expect.stringMatching(/recorded on the host: sha256:/),
  ]);
  const command = enter({ host: rig.hostId, command: ["sh", "-c", "cat; echo error >&2; kill -9 $$"] });
  await command.type("x".repeat(1000));
  await command.send({ case: "endOfInput", value: {} });
  expect(await command.done).toMatchObject({ code: 137, signal: 9 });
  expect([command.seen.output.length, command.seen.error]).toEqual([1000, "error\n"]);
  expect((await readdir(folder)).length).toBe(2);
});

test("every refusal is a sentence, and is logged", async () => {
  await openDoor({ reasonRequired: true });
  const command = ["true"];
  const refused = async (start: Parameters<typeof enter>[0], peer?: TestPeer) =>
    await enter(start, peer).done.then(
      () => expect.unreachable(),
      (error: Error) => error.message,
    );
  const host = "lab/web01";
  expect(await refused({ host, command })).toMatch(/lets nobody into a shell without a reason/);
  expect(await refused({ host: "lab/web02", command, reason: "x" })).toMatch(
    /this is host lab\/web01, not "lab\/web02"/,
  );
  expect(await refused({ host, command: [""], reason: "x" })).toMatch(/no program/);
  expect(await refused({ host, command, reason: "x", environment: { LD_PRELOAD: "x" } })).toMatch(/LD_PRELOAD/);
  expect(await refused({ host, command, reason: "x", copy: { direction: 1 } })).toMatch(/through hpsd alone/);
  const bob = await makePeer(rig.chain, { kind: "operator", name: "bob" });
  expect(await refused({ host, command, reason: "x" }, bob)).toMatch(/does not let bob/);
  expect(await refused({ host, command, reason: "x" }, await makePeer(rig.chain, PEERS.host))).toMatch(
    /may not enter a host/,
  );
  list = "the list that hpsd signed ended";
  expect(await refused({ host, command, reason: "x" })).toMatch(
    /lets nobody in directly now: the list that hpsd signed ended/,
  );
  expect(lines.join("")).toMatch(/refused at the direct way: .*bob/);
  expect(await readdir(folder)).toEqual([]);
});

test("without a certificate nobody comes in", async () => {
  await openDoor();
  const tls = { ca: rig.chain.root.certificate.toString(), serverName: hostDoorName("lab", "web01") };
  const channel = openChannel({ address: `127.0.0.1:${port}`, version: "0.1.0", tls });
  channels.push(channel);
  const call = client(DirectShellService, channel).openSession((async function* (): AsyncGenerator<Request> {})());
  await expect(Array.fromAsync(call)).rejects.toMatchObject({ code: "unauthenticated" });
});

test("limits end a session with their sentence, and nothing is left running", async () => {
  await openDoor({ idleLimit: 300 });
  const idle = enter({ host: "", term: "xterm" });
  expect(await idle.done).toMatchObject({ code: 255, reason: "nobody typed for 0.3 s" });
  await door.stop();
  await openDoor({ timeLimit: 300 });
  const long = enter({ host: "", command: ["sleep", "1000"] });
  expect(await long.done).toMatchObject({ code: 255, reason: "its time of 0.3 s is over" });
  await door.stop();
  await openDoor({}, 100_000);
  const flood = enter({ host: "", command: ["yes"] });
  expect((await flood.done)?.reason).toMatch(/this session's recording on the host has reached its limit/);
  expect(flood.seen.output.length).toBeLessThanOrEqual(100_000);
  await expect.poll(() => shells.count, { timeout: 5000 }).toBe(0);
});

test("when hpsd is back nobody new comes in, who is in goes on, and who may no longer goes", async () => {
  await openDoor();
  const inside = enter({ host: "", command: ["cat"] });
  await inside.type("before\n");
  await expect.poll(() => inside.seen.output).toBe("before\n");
  door.close("hpsd is back");
  await inside.type("after\n");
  await expect.poll(() => inside.seen.output).toBe("before\nafter\n");
  await expect(enter({ host: "", command: ["true"] }).done).rejects.toMatchObject({ code: "unavailable" });
  await door.endSessions(({ name }) => name === "bob", "not you");
  expect(door.sessions).toBe(1);
  await door.endSessions(({ name }) => name === "alice", "you may no longer enter this host directly");
  expect(await inside.done).toMatchObject({ reason: "you may no longer enter this host directly" });
  await expect.poll(() => [door.sessions, shells.count], { timeout: 5000 }).toEqual([0, 0]);
});

test("an operator who does not read how the session ended holds no place", async () => {
  await openDoor();
  const tls = { ca: rig.chain.root.certificate.toString(), serverName: hostDoorName("lab", "web01") };
  const own = rig.pairOf(rig.operator);
  const channel = openChannel({ address: `127.0.0.1:${port}`, version: "0.1.0", tls: { ...tls, ...own } });
  channels.push(channel);
  const input = new BoundedQueue<Request>({ capacity: 1e6, sizeOf: () => 0 });
  void input.put({ message: { case: "start", value: { command: ["yes"] } } });
  const messages = client(DirectShellService, channel).openSession(input)[Symbol.asyncIterator]();
  expect((await messages.next()).value?.message.case).toBe("session");
  // Until neither it nor what is on the way has room.
  await sleep(500);
  await door.endSessions(() => true, "its time is over");
  expect(door.sessions).toBe(1);
  await expect.poll(() => [door.sessions, shells.count], { timeout: 5000 }).toEqual([0, 0]);
});

test("a client that vanishes takes its program with it", async () => {
  await openDoor();
  const gone = enter({ host: "", term: "xterm" });
  await expect.poll(() => gone.seen.output, { timeout: 5000 }).not.toBe("");
  for (const channel of channels.splice(0)) channel.close();
  await expect.poll(() => [door.sessions, shells.count], { timeout: 5000 }).toEqual([0, 0]);
});
