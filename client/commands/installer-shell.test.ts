import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { OpenSessionRequest, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { run } from "../run.ts";
import { cutableWire } from "../testing/cutable-wire.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { HPSCTL, onPty } from "../testing/on-pty.ts";
import { testHost } from "../testing/test-server.ts";

const start = useServers();

type OpenSession = Handlers<typeof ShellService>["openSession"];

const SESSION = { message: { case: "session" as const, value: { id: "s1" } } };
/** Of a terminal, which hpsd keeps for who comes back. */
const TERMINAL = { message: { case: "session" as const, value: { id: "s1", hold: { seconds: 600n } } } };
const output = (text: string | Uint8Array) => ({
  message: { case: "output" as const, value: typeof text === "string" ? Buffer.from(text) : new Uint8Array(text) },
});
const exit = (code: number, reason = "", signal = 0) => ({
  message: { case: "exit" as const, value: { code, reason, signal } },
});

/** Ends a session as hpsd does: the call ends when the client has heard it. */
async function* ends(requests: AsyncIterable<unknown>, last: ReturnType<typeof exit>) {
  yield last;
  try {
    for await (const _ of requests);
  } catch {
    // It went.
  }
}

/** A shell that tells what it gets, in a line each; `q` quits with 7. */
function tellingShell(seen: OpenSessionRequest[]): OpenSession {
  return async function* (requests) {
    for await (const request of requests) {
      seen.push(request);
      const { message } = request;
      if (message.case === "start") {
        const { term, window, environment } = message.value;
        yield TERMINAL;
        yield output(
          `start ${term} ${window?.columns}x${window?.rows} ${JSON.stringify(Object.entries(environment).sort())}\r\n`,
        );
      } else if (message.case === "leave") {
        yield* ends(requests, exit(255, "alice left it"));
        return;
      } else if (message.case === "window") {
        yield output(`window ${message.value.columns}x${message.value.rows}\r\n`);
      } else if (message.case === "input") {
        const text = Buffer.from(message.value).toString();
        if (text.includes("v")) yield output("\x1b[?1049h\x1b[?1000h\x1b[?2004h\x1b[?25l");
        if (text.includes("k")) {
          yield* ends(requests, exit(137, "", 9));
          return;
        }
        if (text.includes("q")) {
          yield* ends(requests, exit(7));
          return;
        }
        yield output(`got ${Buffer.from(text).toString("hex")}\r\n`);
      }
    }
  };
}

test("a terminal: keys go through raw, the window's size goes along, the exit code comes back, all is restored", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const { pty, until, settings, seen } = onPty(server, "installer-shell web01 --reason 'a look'");
  await until("start xterm 91x33");
  pty.write("\x03");
  await until("got 03");
  pty.resize(120, 40);
  await until("window 120x40");
  pty.write("q");
  await until("the end");
  expect(seen()).toContain("exit=7");
  // Not one byte of the output is changed on the way.
  expect(seen()).toContain("window 120x40\r\n");
  expect(settings()).toHaveLength(2);
  expect(settings()[1]).toBe(settings()[0]);
});

/** What brings back a terminal after `v`. */
const UNDONE = "\x1b[?1049l\x1b[?1000l\x1b[?2004l\x1b[?25h";

test("a command whose server dies in the middle has no exit code, and says why", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  using wire = await cutableWire(server.port);
  const { until, seen } = onPty(server, `installer-shell web01 --server localhost:${wire.port} -- cat`);
  await until("start");
  wire.cut();
  await until("the end");
  expect(seen()).toContain("the connection was lost");
  expect(seen()).toContain("exit=255");
});

test("the terminal is restored when the server dies in the middle and the way back is given up", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  using wire = await cutableWire(server.port);
  const { pty, until, settings, seen } = onPty(server, `installer-shell web01 --server localhost:${wire.port}`);
  await until("start xterm");
  pty.write("v");
  await until("got 76");
  wire.cut();
  await until("~. leaves");
  pty.write("~.");
  await until("the end");
  expect(seen()).toContain("the connection was lost");
  expect(seen()).toContain("hpsctl session attach s1");
  expect(seen()).toContain("exit=255");
  expect(seen()).toContain(UNDONE);
  expect(settings()[1]).toBe(settings()[0]);
});

test("the terminal is restored when hpsctl is told to end", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const { pty, until, settings, seen } = onPty(server, "installer-shell web01");
  await until("start xterm");
  pty.write("v");
  await until("got 76");
  const shell = (await readFile(`/proc/${pty.pid}/task/${pty.pid}/children`, "utf8")).trim();
  process.kill(Number(shell), "SIGTERM");
  await until("the end");
  expect(seen()).toContain("exit=130");
  expect(seen()).toContain(UNDONE);
  expect(settings()[1]).toBe(settings()[0]);
});

test("a command: every byte both ways, nothing else on stdout, its exit code", async () => {
  const sent = randomBytes(3 * 1024 * 1024);
  let asked: readonly string[] = [];
  const openSession: OpenSession = async function* (requests) {
    for await (const { message } of requests) {
      if (message.case === "start") {
        asked = message.value.command;
        yield SESSION;
      } else if (message.case === "input") yield output(message.value);
      else if (message.case === "endOfInput") {
        yield { message: { case: "errorOutput", value: Buffer.from("done\n") } };
        yield* ends(requests, exit(3));
        return;
      }
    }
  };
  const server = await start({ shells: { openSession } });
  const words = ["installer-shell", "web01", "--", "cat", "-o", "json", "--help"];
  const { code, bytes, err } = await hpsctl(server, words, { input: sent });
  expect(asked).toEqual(["cat", "-o", "json", "--help"]);
  expect({ code, err }).toEqual({ code: 3, err: "done\n" });
  const digest = (data: Buffer) => createHash("sha256").update(data).digest("hex");
  expect(digest(bytes)).toBe(digest(sent));
});

test("without a terminal and a command, a plain shell reads what comes", async () => {
  const seen: OpenSessionRequest[] = [];
  const server = await start({ shells: { openSession: tellingShell(seen) } });
  expect((await hpsctl(server, "shell prod/web01", { input: "q" })).code).toBe(7);
  const [first] = seen;
  expect(first?.message.value).toMatchObject({ host: "prod/web01", command: ["/bin/sh"], term: "" });
});

test("--no-stdin leaves standard input alone", async () => {
  const openSession: OpenSession = async function* (requests) {
    for await (const { message } of requests) {
      if (message.case === "start") yield SESSION;
      if (message.case === "endOfInput") return yield* ends(requests, exit(0));
    }
  };
  const server = await start({ shells: { openSession } });
  const terminal = fakeTerminal({ environment: server.environment });
  terminal.stdin.write("for someone else");
  expect(await run(["shell", "web01", "-n", "--", "true"], terminal)).toBe(0);
  expect(String(terminal.stdin.read())).toBe("for someone else");
});

test("a session that was ended says why on stderr; a refused one is an error", async () => {
  const ended = await start({
    shells: {
      openSession: async function* (requests) {
        yield SESSION;
        yield* ends(requests, exit(137, "idle for \x1b[2Jtoo long"));
      },
    },
  });
  const { code, out, err } = await hpsctl(ended, "shell web01 -n -- top");
  expect({ code, out }).toEqual({ code: 137, out: "" });
  expect(err).toBe("hpsctl: the session ended: idle for \\x1b[2Jtoo long\n");
  const refused = await start({
    shells: {
      // biome-ignore lint/correctness/useYield: refused before anything
      openSession: async function* () {
        throw new HpsError("unavailable", "no agent of host lab/web01 is attached");
      },
    },
  });
  expect((await hpsctl(refused, "shell web01 -n -- top")).code).toBe(8);
});

test("a first interrupt is the command's own, the second ends the session", async () => {
  const gone = Promise.withResolvers<void>();
  const openSession: OpenSession = async function* (requests) {
    try {
      for await (const { message } of requests) {
        if (message.case === "start") yield SESSION;
        if (message.case === "start") yield output("on\n");
        if (message.case === "signal") yield output(`signal ${message.value}\n`);
      }
    } finally {
      gone.resolve();
    }
  };
  const server = await start({ shells: { openSession } });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["shell", "web01", "--", "sleep"], terminal);
  await expect.poll(() => terminal.printed()).toBe("on\n");
  terminal.interrupt("SIGTERM");
  await expect.poll(() => terminal.printed()).toBe("on\nsignal 15\n");
  terminal.interrupt();
  expect(await running).toBe(130);
  await gone.promise;
});

test("a reader that goes away is a SIGPIPE for the command", async () => {
  const signals: number[] = [];
  const openSession: OpenSession = async function* (requests) {
    for await (const { message } of requests) {
      if (message.case === "start") {
        yield SESSION;
        for (let count = 0; count < 100; count += 1) yield output("y\n".repeat(1000));
      } else if (message.case === "signal") {
        signals.push(message.value);
        yield* ends(requests, exit(141, "", 13));
        return;
      }
    }
  };
  const server = await start({ shells: { openSession } });
  const environment = { ...server.environment, ...HPSCTL, PATH: process.env.PATH ?? "" };
  const script = '{ "$NODE" "$MAIN" shell web01 -n -- yes; echo "exit=$?" >&2; } | head -n 1';
  const done = promisify(execFile)("/bin/sh", ["-c", script], { env: environment });
  expect(await done).toMatchObject({ stdout: "y\n", stderr: "exit=141\n" });
  expect(signals).toEqual([13]);
});

test("escapes: help, a tilde, leaving; the program's own end by a signal is said", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const left = onPty(server, "shell web01");
  await left.until("start xterm");
  left.pty.write("~?");
  await left.until("hpsctl: ~. leave");
  left.pty.write("~~");
  await left.until("got 7e\r\n");
  left.pty.write("\rx~.");
  await left.until("got 0d787e2e");
  left.pty.write("\r");
  await left.until("got 0d\r\n");
  left.pty.write("~.");
  await left.until("the end");
  expect(left.seen()).toContain("hpsctl: the session ended: alice left it");
  expect(left.seen()).toContain("exit=255");
  expect(left.settings()[1]).toBe(left.settings()[0]);
  const killed = onPty(server, "shell web01 -e none");
  await killed.until("start xterm");
  killed.pty.write("~.");
  await killed.until("got 7e2e");
  killed.pty.write("k");
  await killed.until("the end");
  expect(killed.seen()).toContain("hpsctl: the program was ended by SIGKILL\r\nexit=137");
});

test("TERM, locale and colours go along, nothing else of the environment", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const environment = { LANG: "de_DE.UTF-8", LC_TIME: "C", COLORTERM: "truecolor", LD_PRELOAD: "", SECRET: "x" };
  const { pty, until } = onPty({ ...server, environment: { ...server.environment, ...environment } }, "shell web01");
  await until('start xterm 91x33 [["COLORTERM","truecolor"],["LANG","de_DE.UTF-8"],["LC_TIME","C"]]');
  pty.write("q");
  await until("exit=7");
});

/** Refuses for want of an agent until `attach` was called. */
function absentHost() {
  let attached = false;
  const openSession: OpenSession = async function* (requests) {
    if (!attached) {
      throw new HpsError("unavailable", "no agent of host web0001 is attached", { details: { attached: "no" } });
    }
    yield SESSION;
    yield* ends(requests, exit(0));
  };
  const getHost = async () => testHost(1, { attached });
  return { handlers: { shells: { openSession }, hosts: { getHost } }, attach: () => (attached = true) };
}

test("on a terminal it waits until an agent is there, and says so; a command fails at once unless told to wait", async () => {
  const { handlers, attach } = absentHost();
  const server = await start(handlers);
  expect(await hpsctl(server, "shell web0001 -n -- true")).toMatchObject({ code: 8, out: "" });
  const short = await hpsctl(server, "shell web0001 --wait 1ms -n -- true");
  expect(short).toMatchObject({ code: 9, out: "" });
  expect(short.err).toContain("no agent of lab/web0001 was attached within 1ms");
  const patient = fakeTerminal({ environment: server.environment });
  const command = run(["shell", "web0001", "--wait", "1h", "-n", "--", "true"], patient);
  const person = fakeTerminal({ environment: server.environment, tty: true });
  const terminal = run(["shell", "web0001"], person);
  await expect.poll(() => patient.errors()).toContain("waits until one is, at most 1h; Ctrl-C ends that\n");
  await expect.poll(() => person.errors()).toContain("waits until one is, Ctrl-C ends that\n");
  attach();
  expect([await command, await terminal]).toEqual([0, 0]);
});

test("a wait is ended by an interrupt, and not begun with --no-wait", async () => {
  const server = await start(absentHost().handlers);
  const person = fakeTerminal({ environment: server.environment, tty: true });
  const waiting = run(["shell", "web0001"], person);
  await expect.poll(() => person.errors()).toContain("waits until one is");
  person.interrupt();
  expect(await waiting).toBe(130);
  expect((await hpsctl(server, "shell web0001 --no-wait", { tty: true })).code).toBe(8);
});

test("--log prints the installation's log first, beside the output", async () => {
  const openSession: OpenSession = async function* (requests) {
    yield SESSION;
    yield output("the output\n");
    yield* ends(requests, exit(0));
  };
  const asked: unknown[] = [];
  const server = await start({
    shells: { openSession },
    installations: {
      listInstallations: async ({ host }) => ({ installations: host === "lab/web01" ? [{ id: "i1" }] : [] }),
      watchInstallationLog: async function* (request) {
        asked.push(request);
        yield { lines: [{ sequence: 1n, source: "storage", text: Buffer.from("wiping \x1b[2J\n") }] };
      },
    },
  });
  const done = await hpsctl(server, "shell web01 --log -n -- true");
  expect(done, done.err).toMatchObject({ code: 0, out: "the output\n" });
  expect(done.err).toContain("storage: wiping \\x1b[2J\n");
  expect(asked).toMatchObject([{ installation: "i1", follow: false }]);
  expect((await hpsctl(server, "shell web02 --log -n -- true")).err).toContain("no installation, so there is no log");
});
