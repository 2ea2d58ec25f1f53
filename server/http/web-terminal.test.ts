import { once } from "node:events";
import { expect, test } from "vitest";
import { SessionNoticeKind } from "../../proto/gen/hps/v1/shell_pb.ts";
import { Line, openWebDoorRig, START, type WebDoorRig } from "./web-testing.ts";

const piece = (size: number) => ({ case: "output" as const, value: Buffer.alloc(size, "x") });

test("bytes both ways, sizes, the end", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  expect(line.messages[0]).toMatchObject({
    type: "session",
    cluster: "lab",
    host: "h1",
    operator: "wendy",
  });
  line.socket.send(Buffer.from("ls\n"));
  line.say({ type: "window", rows: 30, columns: 90 });
  await expect.poll(() => session.input.length).toBe(2);
  expect(session.input).toMatchObject([
    { case: "input", value: Buffer.from("ls\n") },
    { case: "window", value: { rows: 30, columns: 90 } },
  ]);
  await expect.poll(() => line.last).toEqual({ type: "taken", bytes: 3 });
  await session.output.put(piece(5));
  await session.output.put({ case: "exit", value: { code: 7, signal: 0, reason: "" } });
  await expect.poll(() => line.last).toEqual({ type: "exit", code: 7, signal: 0, reason: "" });
  expect(line.bytes).toBe(5);
  line.socket.close();
  await expect.poll(() => rig.web.count).toBe(0);
});

test("orders go to the session; notices and how it goes on come back", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  const participant = "019366c8-8c2b-7000-8000-000000000001";
  line.say({ type: "admit", participant, write: true });
  line.say({ type: "detach" });
  line.say({ type: "end" });
  await expect
    .poll(() => session.input)
    .toMatchObject([{ case: "admit", value: { participant, write: true } }, { case: "detach" }, { case: "leave" }]);
  const kind = SessionNoticeKind.JOINED;
  await session.output.put({ case: "notice", value: { kind, text: "bob watches", participant } });
  await session.output.put({ case: "detached", value: { reason: "hpsd restarts", comeBack: true } });
  await expect
    .poll(() => line.messages.slice(2))
    .toEqual([
      { type: "notice", text: "bob watches" },
      { type: "standing", state: "ended", people: [], self: "", mayType: true, recorded: true },
      { type: "detached", text: "hpsd restarts", comeBack: true },
    ]);
});

test("a browser that goes away leaves the session", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  line.socket.terminate();
  await expect.poll(() => session.events[0]).toBe("left: the browser went away");
});

test("output stops at the window until the page has drawn it", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  let put = 0;
  const flood = (async () => {
    for (; put < 64 && (await session.output.put(piece(64 * 1024))); put += 1);
  })();
  await expect.poll(() => line.bytes).toBe(256 * 1024);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(line.bytes).toBe(256 * 1024);
  expect(put).toBeLessThan(16);
  line.say({ type: "ack", bytes: 100_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(line.bytes).toBe(256 * 1024);
  while (line.bytes < 64 * 64 * 1024) {
    line.say({ type: "ack", bytes: line.bytes });
    await Promise.race([once(line.socket, "message"), new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  await flood;
});

test("a page that does not read holds no more than its window here", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  line.socket.pause();
  let put = 0;
  void (async () => {
    for (; put < 500 && (await session.output.put(piece(64 * 1024))); put += 1);
  })();
  await new Promise((resolve) => setTimeout(resolve, 500));
  // 256 kB on the way, 512 kB in the session's own queue.
  expect(put * 64 * 1024).toBeLessThan(1024 * 1024);
  line.socket.terminate();
});

test("acknowledgements are read while input waits for a program that does not read", async () => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  // As `cat` with more pasted than a terminal holds: it reads on when its output is taken.
  const stuck = Promise.withResolvers<void>();
  session.reads = () => stuck.promise;
  for (let count = 0; count < 4; count += 1) line.socket.send(Buffer.alloc(16 * 1024));
  for (let count = 0; count < 4; count += 1) await session.output.put(piece(64 * 1024));
  await expect.poll(() => line.bytes).toBe(256 * 1024);
  line.say({ type: "ack", bytes: 256 * 1024 });
  await session.output.put(piece(10));
  await expect.poll(() => line.bytes).toBe(256 * 1024 + 10);
  stuck.resolve();
});

const BREACHES: readonly [string, (line: Line) => void, RegExp][] = [
  ["no JSON", (line) => line.socket.send("{"), /no JSON/],
  ["an array", (line) => line.socket.send("[]"), /no known type/],
  ["an unknown type", (line) => line.say({ type: "open" }), /no known type/],
  ["a second start", (line) => line.say(START), /once, and first/],
  ["a size of nothing", (line) => line.say({ type: "window", rows: 0, columns: 80 }), /cannot have 0 rows/],
  ["a size of text", (line) => line.say({ type: "window", rows: "24", columns: 80 }), /no window size/],
  ["a huge size", (line) => line.say({ type: "window", rows: 24, columns: 1e9 }), /cannot have/],
  ["an acknowledgement of what was not sent", (line) => line.say({ type: "ack", bytes: 1 }), /was not sent/],
  ["an acknowledgement below nothing", (line) => line.say({ type: "ack", bytes: -1 }), /no count/],
  ["an acknowledgement of a fraction", (line) => line.say({ type: "ack", bytes: 0.5 }), /no count/],
  ["a long message", (line) => line.socket.send(`{"type":"${"x".repeat(2000)}"}`), /too long/],
  ["more input than its window", (line) => flood(line, 40_000, 2), /more input than was taken/],
  ["a flood of messages", (line) => flood(line, 0, 20_000), /floods/],
  ["an admission of nobody", (line) => line.say({ type: "admit", participant: "x", write: true }), /UUID|uuid/],
  ["a flood of orders", floodOrders, /orders/],
  ["a ping", (line) => line.socket.ping(), /pings/],
];

function flood({ socket }: Line, bytes: number, count: number): void {
  for (let sent = 0; sent < count; sent += 1) socket.send(Buffer.alloc(bytes));
}

function floodOrders(line: Line): void {
  for (let sent = 0; sent < 40; sent += 1) line.say({ type: "detach" });
}

test.each(BREACHES)("a page that sends %s is cut off with a sentence", async (_what, breach, sentence) => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  session.reads = () => new Promise(() => undefined);
  breach(line);
  expect(await line.closed).toBe(1000);
  expect(line.last).toMatchObject({ type: "error", code: "invalid", message: expect.stringMatching(sentence) });
  expect(session.events[0]).toMatch(/^refused: /);
  await expect.poll(() => rig.web.count).toBe(0);
});

const VIOLATIONS: readonly [string, (line: Line) => void, number][] = [
  ["a frame of 64 KiB and a byte", ({ socket }) => socket.send(Buffer.alloc(64 * 1024 + 1)), 1009],
  ["a message of many frames", ({ socket }) => fragments(socket), 1008],
  ["text that is not UTF-8", ({ socket }) => socket.send(Buffer.of(0xff), { binary: false }), 1007],
];

function fragments(socket: Line["socket"]): void {
  for (let count = 0; count < 100; count += 1) socket.send("x", { fin: false });
}

test.each(VIOLATIONS)("%s ends the connection", async (_what, violate, code) => {
  await using rig = await openWebDoorRig();
  const { line, session } = await rig.open();
  violate(line);
  expect([code, 1006]).toContain(await line.closed);
  await expect.poll(() => session.events[0]).toBe("left: the browser went away");
});

async function connected(rig: WebDoorRig): Promise<Line> {
  const line = await rig.knock(await rig.ticket());
  if (!(line instanceof Line)) throw new Error(line.body);
  return line;
}

test("a link that watches never types, whatever the session would let it", async () => {
  await using rig = await openWebDoorRig();
  const { identity, hostId, clusterId, wendy } = rig;
  const principal = await identity.principals.resolve(wendy.chain);
  const issuer = { principal, action: "make", address: "", needs: "operator" } as const;
  rig.running.push({ hostId, clusterId });
  const wish = { hostId, clusterId, write: false, session: "", reason: "", validityMs: 60_000 };
  const { secret } = await rig.links.create(issuer, wish);
  const line = await rig.knock(await rig.ticket({ link: secret }, null), { peer: null });
  if (!(line instanceof Line)) throw new Error(line.body);
  line.say(START);
  await expect.poll(() => line.messages[1]).toMatchObject({ type: "standing", mayType: false });
  line.socket.send(Buffer.from("rm -rf /\n"));
  await line.closed;
  expect(line.last).toMatchObject({ type: "error", code: "denied", message: "this link only watches" });
  expect(rig.sessions.at(-1)?.input).toEqual([]);
});

test("input before the size is refused, and who says nothing is not waited for", async () => {
  await using rig = await openWebDoorRig({ startMs: 1000 });
  const eager = await connected(rig);
  eager.socket.send(Buffer.from("rm -rf /\n"));
  await eager.closed;
  expect(eager.last).toMatchObject({ type: "error", message: "the page typed before it said its size" });
  const silent = await connected(rig);
  await silent.closed;
  expect(silent.last).toMatchObject({ type: "error", code: "deadline" });
  expect(rig.sessions).toEqual([]);
});

test("a browser that is not heard any more is gone", async () => {
  await using rig = await openWebDoorRig({ pingMs: 100, silentMs: 1000 });
  const { line, session } = await rig.open();
  const alive = await rig.open();
  // Half open: the connection stands, and nobody is there.
  line.socket.pause();
  await expect.poll(() => session.events[0]).toBe("left: the browser went away");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(alive.session.events).toEqual([]);
  line.socket.terminate();
});

test("a page that does not close after the end is closed", async () => {
  await using rig = await openWebDoorRig({ lingerMs: 100 });
  const { line, session } = await rig.open();
  await session.output.put({ case: "exit", value: { code: 0, signal: 0, reason: "" } });
  expect(await line.closed).toBe(1000);
});
