/** A shell on a real hpsd with a real agent, hpsd killed in the middle: what is recorded, how it plays, and what of it can be altered unseen. */
import { appendFile, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { armHost } from "../faults/load-agents.ts";
import { startAgent } from "../faults/real-agent.ts";
import { startHpsd } from "../faults/real-hpsd.ts";
import { TmuxScreen } from "./tmux.ts";

const HPSCTL = [process.execPath, fileURLToPath(new URL("../../client/main.ts", import.meta.url))];
const SIZE = { columns: 80, rows: 24 };
/** The machine may have other work. */
const SOON = { timeout: 60_000 };
/** What a shell writes, and only a trusting player passes on. */
const CLIPBOARD = "\x1b]52;c;eA==\x07";

let hpsd: Awaited<ReturnType<typeof startHpsd>>;

beforeAll(async () => {
  hpsd = await startHpsd();
  await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

async function onScreen(...words: readonly string[]): Promise<TmuxScreen> {
  const environment = { HPSCONFIG: path.join(hpsd.folder, "hpsctl.yaml"), LANG: "C.UTF-8", TMUX: "" };
  const screen = await TmuxScreen.start([...HPSCTL, ...words], SIZE, environment);
  onTestFinished(async () => await screen[Symbol.asyncDispose]());
  return screen;
}

async function sees(screen: TmuxScreen, pattern: RegExp): Promise<void> {
  await expect.poll(async () => await screen.text(), SOON).toMatch(pattern);
}

/** A session that ends after hpsd was killed in it; its id. */
async function recordedSession(): Promise<string> {
  const screen = await onScreen("installer-shell", "lab/h1");
  await sees(screen, /[#$]\s*$/m);
  await screen.line("PS1='$ '; clear");
  await screen.line("printf '\\033[1;31mred\\033[0m \\360\\237\\230\\200 \\033]52;c;eA==\\007\\n'");
  await sees(screen, /^red 😀/m);
  await screen.line("printf '\\033[?1049h\\033[?1000h\\033[5;5Hother screen\\n'");
  await sees(screen, /other screen/);
  await hpsd.program().stop("SIGKILL");
  await hpsd.start();
  // What hpsctl says of it is drawn over by the screen it comes back to.
  const { shells } = await hpsd.connect();
  await expect
    .poll(async () => (await shells.listSessions({})).sessions, SOON)
    .toMatchObject([{ state: SessionState.OPEN, participants: [{ operator: "alice" }] }]);
  await screen.line("printf '\\033[?1000l\\033[?1049l'; echo still $((40 + 2))");
  await sees(screen, /^still 42/m);
  await screen.line("exit");
  await sees(screen, /exit=0/);
  return (await hpsd.hpsctl("session", "ls", "-o", "name")).out.trim();
}

test("a session over a killed hpsd plays as it was, agrees with row and audit log, and every change shows", async () => {
  const id = await recordedSession();
  const verified = await hpsd.hpsctl("session", "verify", id);
  expect([verified.code, verified.err]).toEqual([0, ""]);
  const raw = path.join(hpsd.state, "sessions", `${id}.raw`);
  const exported = await hpsd.hpsctl("session", "export", id, "--part", "raw");
  expect(exported.bytes).toEqual(await readFile(raw));
  expect(exported.out).toContain(CLIPBOARD);
  expect(exported.out).toContain("still 42");

  const player = await onScreen("session", "play", id, "--idle-limit", "50ms");
  await sees(player, /hpsctl: the session ended with exit code 0\n(.*\n)*exit=0/);
  expect(await player.text()).toMatch(/^red 😀(.*\n)*.*still 42/m);
  // Neither on the other screen nor with the mouse taken.
  expect(await player.shown()).toMatch(/cursor \d+,\d+ 0 0\n$/);
  const played = await hpsd.hpsctl("session", "play", id, "--idle-limit", "0s");
  expect(played.out).toContain("other screen");
  expect(played.out).not.toContain(CLIPBOARD);

  const head = (await hpsd.hpsctl("audit", "verify", "-o", "name")).out.trim();
  expect((await hpsd.hpsctl("session", "get", id)).code).toBe(0);
  await hpsd.hpsctl("session", "export", id);
  expect((await hpsd.hpsctl("audit", "verify", "--head", head)).code).toBe(0);
  await appendFile(raw, "x");
  expect((await hpsd.hpsctl("session", "verify", id)).code).toBe(13);
  alterAudit("UPDATE audit SET reason = 'nothing happened' WHERE action = 'session.end'");
  const altered = await hpsd.hpsctl("audit", "verify");
  expect(altered.code).toBe(13);
  expect(altered.err).toContain("does not continue the one before");
});

/** As somebody who has hpsd's disk, while it runs. */
function alterAudit(statement: string): void {
  const db = new Database(path.join(hpsd.state, "hpsd.db"));
  try {
    expect(db.prepare(statement).run().changes).toBe(1);
  } finally {
    db.close();
  }
}
