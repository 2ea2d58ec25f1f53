import { existsSync } from "node:fs";
import { chmod, cp, readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import path from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { OperatorSession } from "../e2e/operator-session.ts";
import { startProgram } from "../lab/program.ts";
import { run } from "../lab/run.ts";
import { armHost, enrolHost, LoadAgent } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import { configText, hpsdArgv, type RealHpsd, startHpsd, until } from "./real-hpsd.ts";

let hpsd: Awaited<ReturnType<typeof startHpsd>>;

beforeAll(async () => {
  hpsd = await startHpsd();
});
afterAll(async () => await hpsd[Symbol.asyncDispose]());

/** Peers that connect and say nothing, or stop in the middle. */
async function silentPeers({ grpc, https }: RealHpsd): Promise<readonly Socket[]> {
  const half = ["", "GET / HTTP/1.1\r\nHost: localhost\r\n", "PRI * HTTP/2.0\r\n"];
  const sockets = [grpc, https].flatMap((port) => [
    connectTcp({ port, host: "127.0.0.1" }),
    ...half.map((text) => {
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
      socket.once("secureConnect", () => void (text !== "" && socket.write(text)));
      return socket;
    }),
  ]);
  for (const socket of sockets) socket.on("error", () => undefined);
  const opened = sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve)));
  await Promise.all(opened);
  return sockets;
}

/** A stream that was answered and then is not read any more, so that hpsd cannot send what it has. */
async function slowWatcher(installation: string) {
  const hps = await hpsd.connect();
  const request = { installation, afterSequence: 0n, follow: true };
  const stream = hps.installations.watchInstallationLog(request)[Symbol.asyncIterator]();
  await stream.next();
  return async () => {
    for (;;) {
      const next = await stream.next().catch((error: unknown) => error);
      if (next instanceof Error) return next;
    }
  };
}

test("SIGTERM tells streams to go, leaves terminals to the next hpsd, waits for no slow peer, and hpsd exits 0 in time", async () => {
  const [first, second] = [await armHost(hpsd.admin, 1), await armHost(hpsd.admin, 2)];
  const agent = await startAgent(first, hpsd.folder);
  onTestFinished(async () => void (await agent.stop()));
  const identity = await enrolHost(second, `${hpsd.folder}/agents`, { min: 100, max: 1000 });
  const load = new LoadAgent({ host: second, identity, backoff: { min: 100, max: 1000 } });
  onTestFinished(() => load.stop());
  load.start();
  const session = OperatorSession.open(hpsd.admin.shells, { host: "lab/h1", term: "xterm" });
  const { id } = await session.session;
  await session.type("echo $((6*7))\n");
  await session.shows(/42/);
  const ended = session.last();
  load.flood(200, 10_000);
  await until("the flood acknowledged", 20_000, () => load.acknowledged > 200);
  const watcher = await slowWatcher(second.installation);
  const sockets = await silentPeers(hpsd);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let line = 0; line < 50; line += 1) load.say();
  await until("something more acknowledged", 10_000, () => load.acknowledged > 210);
  const began = performance.now();
  process.kill(hpsd.program().pid, "SIGTERM");
  expect(await hpsd.program().ended).toBe(0);
  const took = performance.now() - began;
  expect(took).toBeLessThan(10_000);
  expect(await ended).toMatchObject({ case: "detached", value: { reason: "hpsd is stopping", comeBack: true } });
  expect(await watcher()).toMatchObject({ code: "unavailable" });
  expect(hpsd.program().output()).not.toMatch(/"level":50/);
  await hpsd.start();
  await until("agents back", 20_000, () => load.welcomes > 1 && load.waiting === 0);
  expect(load.sameRun).toBe(true);
  const again = OperatorSession.attach((await hpsd.connect()).shells, { session: id, write: true });
  await again.session;
  await again.type("echo still-$((6*7)); exit 3\n");
  await again.shows(/still-42/);
  expect(await again.exit()).toMatchObject({ code: 3 });
  console.info(`stopped in ${Math.round(took)} ms`);
});

test("SIGKILL in the middle of a flood: the terminal goes on, and its recording has each byte once", async () => {
  const agent = await startAgent(await armHost(hpsd.admin, 3), hpsd.folder, { name: "killed" });
  onTestFinished(async () => void (await agent.stop()));
  const { shells } = await hpsd.connect();
  const session = OperatorSession.open(shells, { host: "lab/h3", term: "xterm" });
  const piped = OperatorSession.open(shells, { host: "lab/h3", command: ["sh", "-c", "echo $$; cat"] });
  const { id } = await session.session;
  await piped.shows(/\n/);
  await session.type("stty -echo; PS1=''; seq 200000; echo do''ne\n");
  const ended = Promise.allSettled([session.exit(), piped.exit()]);
  await until("the flood has begun", 10_000, () => session.text.includes("\n1000\r\n"));
  await hpsd.program().stop("SIGKILL");
  expect(await ended).toMatchObject([{ reason: { code: "unavailable" } }, { reason: { code: "unavailable" } }]);
  await until("the command is gone", 15_000, () => !existsSync(`/proc/${Number(piped.text)}`));
  await hpsd.start();
  const again = await hpsd.connect();
  const attached = OperatorSession.attach(again.shells, { session: id, write: true });
  await attached.session;
  await attached.type("exit 3\n");
  expect(await attached.exit()).toMatchObject({ code: 3 });
  const raw = await readFile(path.join(hpsd.state, "sessions", `${id}.raw`), "latin1");
  const counted = Array.from({ length: 200_000 }, (_, at) => `${at + 1}\r\n`).join("");
  const from = raw.indexOf("1\r\n2\r\n3\r\n");
  expect(raw.slice(from, from + counted.length) === counted).toBe(true);
  expect(raw.slice(from + counted.length)).toMatch(/^done\r\n/);
  const found = await again.shells.getSession({ session: id });
  expect(found).toMatchObject({ exitCode: 3, endReason: "" });
  const { session: command } = piped;
  expect(await again.shells.getSession({ session: (await command).id })).toMatchObject({
    endReason: "hpsd ended before the session did",
  });
});

test("a second SIGTERM ends it at once", async () => {
  const program = hpsd.program();
  process.kill(program.pid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.kill(program.pid, "SIGTERM");
  expect([0, 128]).toContain(await program.ended);
  await hpsd.start();
});

test("a second hpsd on one state folder is refused with the pid of the first, and harms nothing", async () => {
  const other = path.join(hpsd.folder, "other.yaml");
  await writeFile(other, configText({ state: hpsd.state, grpc: 0, https: 0 }));
  const refused = await run(hpsdArgv("serve", "--config", other));
  const pid = hpsd.program().pid;
  expect(refused).toMatchObject({ code: 8, stderr: expect.stringMatching(`in use by process ${pid}`) });
  const hps = await hpsd.connect();
  expect(await hps.identity.whoAmI({})).toBeDefined();
});

test("what cannot be started says why, and where", async () => {
  await hpsd.program().stop();
  const { grpc, https, state } = hpsd;
  const missing = path.join(hpsd.folder, "none.yaml");
  const config = path.join(hpsd.folder, "broken.yaml");
  const copy = `${state}-copy`;
  onTestFinished(async () => await rm(copy, { recursive: true, force: true }));
  const serve = async (text: string | undefined) => {
    if (text !== undefined) await writeFile(config, text);
    return await run(hpsdArgv("serve", "--config", text === undefined ? missing : config), { timeoutMs: 20_000 });
  };
  const says = (code: number, what: RegExp) => ({ code, stderr: expect.stringMatching(what) });
  expect(await serve(undefined)).toMatchObject(says(3, /cannot read the configuration .*none\.yaml/));
  expect(await serve("state: /x\nserver:\n  names: [a]\nlimit:\n  x: 1\n")).toMatchObject(says(2, /broken\.yaml:4/));
  const nowhere = configText({ state: path.join(hpsd.folder, "nowhere"), grpc, https });
  expect(await serve(nowhere)).toMatchObject(says(7, /there is no hpsd in .*nowhere\nhint: run hpsd init/));
  await using port = await takenPort();
  for (const at of [
    { state, grpc: port.port, https: 0 },
    { state, grpc: 0, https: port.port },
  ]) {
    expect(await serve(configText(at))).toMatchObject(
      says(8, new RegExp(`cannot listen on 127.0.0.1 port ${port.port}`)),
    );
  }
  await cp(state, copy, { recursive: true });
  const { stdout } = await run(["sh", "-c", `ls ${copy}/ca/*.key`]);
  const [key = ""] = stdout.split("\n").filter((name) => !name.endsWith("server.key"));
  await chmod(key, 0o640);
  const there = configText({ state: copy, grpc, https });
  expect(await serve(there)).toMatchObject(says(7, /open to others \(mode 0640\)/));
  await chmod(key, 0o600);
  await chmod(path.join(copy, "ca"), 0o755);
  expect(await serve(there)).toMatchObject(says(7, /ca is open to others \(mode 755\)/));
  await chmod(path.join(copy, "ca"), 0o700);
  await cp(hpsd.rootKey, path.join(copy, "sessions-root.key"));
  expect(await serve(there)).toMatchObject(says(7, /root's private key lies in the state folder/));
  await rm(path.join(copy, "sessions-root.key"));
  const program = await startProgram({ argv: hpsdArgv("serve", "--config", config), readyLine: /hpsd is ready/ });
  expect(await program.stop()).toBe(0);
});

async function takenPort() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}
