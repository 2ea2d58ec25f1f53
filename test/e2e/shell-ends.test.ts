/** What a person is told when a shell ends otherwise than by itself, through hpsctl, hpsd and a real agent. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { armHost } from "../faults/load-agents.ts";
import { startAgent } from "../faults/real-agent.ts";
import { startHpsd } from "../faults/real-hpsd.ts";
import { TmuxScreen } from "./tmux.ts";

const HPSCTL = [process.execPath, fileURLToPath(new URL("../../client/main.ts", import.meta.url))];
/** The machine may have other work. */
const SOON = { timeout: 60_000 };

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let agent: Awaited<ReturnType<typeof startAgent>>;

beforeAll(async () => {
  hpsd = await startHpsd();
  agent = await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

async function hpsctlOnTerminal(...words: readonly string[]): Promise<TmuxScreen> {
  const environment = { HPSCONFIG: path.join(hpsd.folder, "hpsctl.yaml"), LANG: "C.UTF-8", TMUX: "" };
  const screen = await TmuxScreen.start([...HPSCTL, ...words], { columns: 160, rows: 24 }, environment);
  onTestFinished(async () => await screen[Symbol.asyncDispose]());
  return screen;
}

async function shows(screen: TmuxScreen, pattern: RegExp): Promise<void> {
  await expect.poll(async () => await screen.text(), SOON).toMatch(pattern);
}

async function shell(): Promise<TmuxScreen> {
  const screen = await hpsctlOnTerminal("shell", "lab/h1");
  await shows(screen, /[#$]$/m);
  return screen;
}

test("a session that waits for approval is left by Ctrl-C, which reaches nobody yet", async () => {
  expect(await hpsd.hpsctl("cluster", "edit", "lab", "--shell-approval", "required")).toMatchObject({ code: 0 });
  onTestFinished(async () => void (await hpsd.hpsctl("cluster", "edit", "lab", "--shell-approval", "none")));
  const screen = await hpsctlOnTerminal("shell", "lab/h1");
  await shows(screen, /hpsctl: .*session approve/);
  await screen.press("C-c");
  await shows(screen, /^exit=255$/m);
});

test("killed by another, hung up on, thrown out, and left by its agent: each is a sentence", async () => {
  const killed = await shell();
  const { sessions } = await hpsd.admin.shells.listSessions({ openOnly: true });
  expect(await hpsd.hpsctl("session", "kill", sessions[0]?.id ?? "", "--yes", "--reason", "wrong host")).toMatchObject({
    code: 0,
  });
  await shows(killed, /^hpsctl: the session ended: .*alice.*wrong host\n(.*\n)?exit=255$/m);
  const closed = await shell();
  // As when the window of the terminal is closed.
  process.kill(await closed.pid(), "SIGHUP");
  await shows(closed, /^exit=130$/m);
  const [terminal, command] = [
    await shell(),
    await hpsctlOnTerminal("shell", "lab/h1", "--", "sh", "-c", "echo on; sleep 1000"),
  ];
  await shows(command, /^on$/m);
  await agent.stop("SIGKILL");
  await shows(command, /^hpsctl: the session ended: the connection to the host's agent was lost\nexit=255$/m);
  await shows(terminal, /^hpsctl: host h1 is out of reach; the session waits for it, at most 5 min$/m);
  const certificates = await hpsd.hpsctl(
    "cert",
    "ls",
    "--identity",
    "spiffe://lab.example/operator/alice",
    "-o",
    "json",
  );
  const [{ serial }] = JSON.parse(certificates.out);
  await hpsd.hpsctl("cert", "revoke", serial, "--reason", "stolen", "--yes");
  await shows(terminal, /^error: your certificate is revoked: stolen\n(hint: .*\n)?exit=255$/m);
});
