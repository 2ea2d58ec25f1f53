import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { spawn } from "node-pty";
import { expect, test } from "vitest";
import type { OpenSessionRequest, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import type { TestServer } from "../testing/test-server.ts";

const start = useServers();
const MAIN = new URL("../main.ts", import.meta.url).pathname;

type OpenSession = Handlers<typeof ShellService>["openSession"];

const SESSION = { message: { case: "session" as const, value: { id: "s1" } } };
const output = (text: string | Uint8Array) => ({
  message: { case: "output" as const, value: typeof text === "string" ? Buffer.from(text) : new Uint8Array(text) },
});
const exit = (code: number, reason = "") => ({ message: { case: "exit" as const, value: { code, reason } } });

/** A shell that tells what it gets, in a line each; `q` quits with 7. */
function tellingShell(seen: OpenSessionRequest[]): OpenSession {
  return async function* (requests) {
    for await (const request of requests) {
      seen.push(request);
      const { message } = request;
      if (message.case === "start") {
        yield SESSION;
        yield output(`start ${message.value.term} ${message.value.window?.columns}x${message.value.window?.rows}\r\n`);
      } else if (message.case === "window") {
        yield output(`window ${message.value.columns}x${message.value.rows}\r\n`);
      } else if (message.case === "input") {
        const text = Buffer.from(message.value).toString();
        if (text.includes("q")) {
          yield exit(7);
          return;
        }
        yield output(`got ${Buffer.from(text).toString("hex")}\r\n`);
      }
    }
  };
}

/** Runs hpsctl under a real terminal, between two looks at the terminal's settings. */
function onPty(server: TestServer, words: string) {
  const script = `stty -g; "$NODE" "$MAIN" ${words}; echo "exit=$?"; stty -g; echo "the end"`;
  const environment = { ...server.environment, NODE: process.execPath, MAIN, PATH: process.env.PATH ?? "" };
  const pty = spawn("/bin/sh", ["-c", script], { cols: 91, rows: 33, name: "xterm", env: environment });
  let seen = "";
  pty.onData((data) => {
    seen += data;
  });
  const until = (text: string) => expect.poll(() => seen, { timeout: 15_000 }).toContain(text);
  const settings = () => seen.split("\r\n").filter((line) => /^[0-9a-f]+(:[0-9a-f]+){10,}$/.test(line));
  return { pty, until, settings, seen: () => seen };
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
  expect(settings()).toHaveLength(2);
  expect(settings()[1]).toBe(settings()[0]);
});

test("the terminal is restored when the server dies in the middle", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const wire = await cutableWire(server.port);
  const { until, settings, seen } = onPty(server, `installer-shell web01 --server localhost:${wire.port}`);
  await until("start xterm");
  wire.cut();
  await until("the end");
  expect(seen()).toContain("the connection was lost");
  expect(seen()).toContain("exit=8");
  expect(seen()).toContain("\x1b[?1049l");
  expect(settings()[1]).toBe(settings()[0]);
});

/** A way to the server that can be cut, as the death of its machine would. */
async function cutableWire(port: number) {
  const sockets: Socket[] = [];
  const wire = createServer((near) => {
    const far = createConnection(port, "127.0.0.1");
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => wire.listen(0, "127.0.0.1", resolve));
  const address = wire.address();
  const cut = () => {
    wire.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { port: typeof address === "object" ? address?.port : 0, cut };
}

test("the terminal is restored when hpsctl is told to end", async () => {
  const server = await start({ shells: { openSession: tellingShell([]) } });
  const { pty, until, settings, seen } = onPty(server, "installer-shell web01");
  await until("start xterm");
  const shell = (await readFile(`/proc/${pty.pid}/task/${pty.pid}/children`, "utf8")).trim();
  process.kill(Number(shell), "SIGTERM");
  await until("the end");
  expect(seen()).toContain("exit=130");
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
        yield exit(3);
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
    for await (const { message } of requests) if (message.case === "endOfInput") yield exit(0);
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
      openSession: async function* () {
        yield exit(137, "idle for \x1b[2Jtoo long");
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

test("an interrupt ends a command's session", async () => {
  const gone = Promise.withResolvers<void>();
  const server = await start({
    shells: {
      openSession: async function* (_requests, { signal }) {
        signal.addEventListener("abort", () => gone.resolve());
        yield SESSION;
        yield output("on\n");
        await new Promise(() => undefined);
      },
    },
  });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["shell", "web01", "--", "sleep"], terminal);
  await expect.poll(() => terminal.printed()).toBe("on\n");
  terminal.interrupt();
  expect(await running).toBe(130);
  await gone.promise;
});
