import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import {
  type AttachSessionRequest,
  type OpenSessionRequest,
  type OpenSessionResponseSchema,
  ParticipantRole,
  SessionNoticeKind,
  type ShellService,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { cutableWire } from "../testing/cutable-wire.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { onPty } from "../testing/on-pty.ts";

const start = useServers();

type Response = NonNullable<MessageInitShape<typeof OpenSessionResponseSchema>["message"]>;
type Request = OpenSessionRequest | AttachSessionRequest;

/** Sessions of which a test plays hpsd's part: what it is sent, and what it says. */
function playedSession(command: readonly string[] = [], holdSeconds = 420) {
  const heard: Request["message"][] = [];
  let say: BoundedQueue<Response> | undefined;
  const serve = async function* (requests: AsyncIterable<Request>) {
    const mine = new BoundedQueue<Response>({ capacity: 65_536, sizeOf: () => 0 });
    say = mine;
    const messages = requests[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done === true) return;
    const { message } = first.value;
    heard.push(message);
    const role = message.case === "attach" && !message.value.write ? ParticipantRole.WATCHER : ParticipantRole.OWNER;
    const hold = { seconds: BigInt(holdSeconds) };
    const value = { id: "s1", command: [...command], participants: [{ id: "me", role }], hold };
    yield { message: { case: "session" as const, value }, participant: "me" };
    const reading = (async () => {
      for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
        heard.push(next.value.message);
        const { message } = next.value;
        if (message.case === "leave") await mine.put({ case: "exit", value: { code: 255, reason: "alice left it" } });
        if (message.case === "detach") await mine.put({ case: "detached", value: { hold: durationFromMs(600_000) } });
      }
    })();
    reading.catch(() => undefined);
    for await (const message of mine) {
      yield { message };
      if (message.case === "exit" || message.case === "detached") break;
    }
    await reading.catch(() => undefined);
  };
  // Both kinds of call carry the same messages.
  const shells: Partial<Handlers<typeof ShellService>> = { openSession: serve, attachSession: serve };
  return {
    shells,
    heard,
    say: async (message: Response) => void (await say?.put(message)),
    show: async (text: string) => void (await say?.put({ case: "output", value: Buffer.from(text) })),
    notice: async (kind: SessionNoticeKind, text: string, participant = "") =>
      void (await say?.put({ case: "notice", value: { kind, text, participant } })),
  };
}

test("~d leaves a session running and says how to come back; attaching brings the window", async () => {
  const session = playedSession();
  const server = await start({ shells: session.shells });
  const { pty, until, settings, seen } = onPty(server, "shell web01");
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  await session.show("prompt$ ");
  await until("prompt$ ");
  pty.write("\r~d");
  await until("the end");
  expect(seen()).toContain(
    "prompt$ \r\n\u001b[Khpsctl: detached; the session goes on, 10m without anybody. Come back: hpsctl session attach s1\r\n",
  );
  expect(seen()).toContain("exit=0");
  expect(settings()[1]).toBe(settings()[0]);
  const back = onPty(server, "session attach s1");
  await expect
    .poll(() => session.heard.at(-1)?.value, { timeout: 10_000 })
    .toMatchObject({
      ...{ session: "s1", write: true, window: { rows: 33, columns: 91 } },
    });
  await session.say({ case: "exit", value: { code: 3 } });
  await back.until("exit=3");
});

test("a lost connection is said, and the session is come back to by itself; keys typed meanwhile go nowhere", async () => {
  const session = playedSession();
  const server = await start({ shells: session.shells });
  using wire = await cutableWire(server.port);
  const { pty, until, seen } = onPty(server, `shell web01 --server localhost:${wire.port}`);
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  await session.show("one\r\n");
  await until("one\r\n");
  wire.cut();
  await until("tries to come back for 7m, ~. leaves");
  pty.write("rm -rf /\r");
  await wire.mend();
  await until("hpsctl: back in the session");
  expect(session.heard.map((message) => message.case)).toEqual(["start", "attach"]);
  pty.write("ls\r");
  await expect.poll(() => session.heard.at(-1)?.value).toEqual(Buffer.from("ls\r"));
  await session.say({ case: "detached", value: { reason: "hpsd restarts", comeBack: true } });
  await expect.poll(() => session.heard.at(-1)?.case, { timeout: 10_000 }).toBe("attach");
  await session.say({ case: "exit", value: { code: 0, reason: "" } });
  await until("exit=0");
  expect(seen()).toContain("hpsctl: hpsd restarts; tries to come back");
});

test("who cannot come back within the time that hpsd keeps the session is told so, and does not try on", async () => {
  const session = playedSession([], 1);
  const server = await start({ shells: session.shells });
  using wire = await cutableWire(server.port);
  const { until, seen } = onPty(server, `shell web01 --server localhost:${wire.port}`);
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  // Until hpsctl knows which session it has, there is nothing to come back to.
  await session.show("one\r\n");
  await until("one\r\n");
  wire.cut();
  await until("tries to come back for 1s");
  await until("exit=255");
  expect(seen()).toContain("there is no way back to the session");
});

test("a session that ended meanwhile is told with its reason, a revoked certificate at once", async () => {
  const session = playedSession();
  let refusal = new HpsError("not-found", "session s1 is over");
  const attachSession: Handlers<typeof ShellService>["attachSession"] = async function* () {
    yield await Promise.reject(refusal);
  };
  const getSession = async () => ({ id: "s1", exitCode: 255, endReason: "the host restarted" });
  const server = await start({ shells: { ...session.shells, attachSession, getSession } });
  const gone = onPty(server, "shell web01");
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  await session.say({ case: "detached", value: { reason: "hpsd restarts", comeBack: true } });
  await gone.until("exit=255");
  expect(gone.seen()).toContain("hpsctl: the session ended: the host restarted");
  refusal = new HpsError("unauthenticated", "your certificate is revoked: laptop stolen");
  const revoked = onPty(server, "shell web01");
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(2);
  await session.say({ case: "detached", value: { reason: "hpsd restarts", comeBack: true } });
  await revoked.until("the end");
  expect(revoked.seen()).toContain("exit=255");
  expect(revoked.seen()).toContain("your certificate is revoked: laptop stolen");
  expect(revoked.settings()[1]).toBe(revoked.settings()[0]);
});

test("notices stand on lines of their own, or in the last row of a program that has the whole screen; ~w admits", async () => {
  const session = playedSession();
  const server = await start({ shells: session.shells });
  const { pty, until, seen } = onPty(server, "shell web01");
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  await session.show("prompt$ ");
  await session.notice(SessionNoticeKind.WRITERS, "bob asks to write\u001b[2J", "p2");
  await until("prompt$ \r\n\u001b[Khpsctl: bob asks to write\\x1b[2J (~w lets them)\r\n");
  pty.write("~w");
  await expect
    .poll(() => session.heard.at(-1))
    .toMatchObject({ case: "admit", value: { participant: "p2", write: true } });
  await session.notice(SessionNoticeKind.WRITERS, "bob may write now", "p2");
  await until("hpsctl: bob may write now\r\n");
  pty.write("~w");
  await expect
    .poll(() => session.heard.at(-1))
    .toMatchObject({ case: "admit", value: { participant: "p2", write: false } });
  await session.show("\u001b[?1049h");
  await session.notice(SessionNoticeKind.JOINED, "carol watches this session");
  await until("\u001b7\u001b[33;1H\u001b[0;7m\u001b[2Khpsctl: carol watches this session\u001b[0m\u001b8");
  // The program is made to draw over it.
  await expect
    .poll(() => session.heard.at(-1), { timeout: 10_000 })
    .toMatchObject({ value: { rows: 33, columns: 91 } });
  expect(session.heard.at(-2)).toMatchObject({ case: "window", value: { rows: 32, columns: 91 } });
  await session.say({ case: "exit", value: { code: 255, reason: "bob ended it: enough" } });
  await until("exit=255");
  expect(seen()).toContain("\u001b[?1049l\r\n\u001b[Khpsctl: the session ended");
});

test("who watches sends nothing, also when the terminal answers by itself", async () => {
  const session = playedSession();
  const server = await start({ shells: session.shells });
  const { pty, until } = onPty(server, "session watch s1");
  await expect.poll(() => session.heard.length, { timeout: 10_000 }).toBe(1);
  await session.show("screen");
  await until("screen");
  pty.write("\u001b[?62;c");
  pty.write("typed");
  await until("hpsctl: you only watch this session");
  pty.resize(80, 24);
  pty.write("\r~.");
  await until("the end");
  expect(session.heard.map((message) => message.case)).toEqual(["attach", "leave"]);
  expect(session.heard[0]?.value).toMatchObject({ session: "s1", write: false });
});

test("a command's session is watched in a pipe; attaching needs a terminal", async () => {
  const session = playedSession(["make"]);
  const server = await start({ shells: session.shells });
  const watching = hpsctl(server, "session watch s1");
  await expect.poll(() => session.heard.length).toBe(1);
  await session.show("built\n");
  await session.say({ case: "exit", value: { code: 2 } });
  expect(await watching).toMatchObject({ code: 2, out: "built\n" });
  expect(await hpsctl(server, "session attach s1")).toMatchObject({ code: 2 });
});

test("kill asks, says why, and shows the session as it is then", async () => {
  const asked: unknown[] = [];
  const about = { id: "s1", operator: "bob", cluster: "lab", host: "web01" };
  const server = await start({
    shells: {
      getSession: async () => about,
      killSession: async (request) => {
        asked.push(request);
        return { ...about, endReason: "alice ended it: enough" };
      },
    },
  });
  expect(await hpsctl(server, "session kill s1")).toMatchObject({ code: 2 });
  const done = await hpsctl(server, "session kill s1 --yes --reason enough");
  expect(done).toMatchObject({ code: 0 });
  expect(done.out).toContain("alice ended it: enough");
  expect(asked).toMatchObject([{ session: "s1", reason: "enough" }]);
});
