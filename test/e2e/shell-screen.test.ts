/**
 * What a person sees of a shell through hpsctl, hpsd and a real agent, beside the same shell on the same machine without any of
 * them: the two screens are equal, to the colour and the cursor, also after a resize.
 */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { armHost } from "../faults/load-agents.ts";
import { startAgent } from "../faults/real-agent.ts";
import { startHpsd } from "../faults/real-hpsd.ts";
import { run } from "../lab/run.ts";
import { alike, type Size, SOON, settled, TmuxScreen } from "./tmux.ts";

const HPSCTL = [process.execPath, fileURLToPath(new URL("../../client/main.ts", import.meta.url))];
const SMALL: Size = { columns: 80, rows: 24 };
const LARGE: Size = { columns: 101, rows: 33 };

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let files = "";

beforeAll(async () => {
  hpsd = await startHpsd();
  await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
  files = path.join(hpsd.folder, "files");
  await mkdir(files);
  const lines = Array.from({ length: 200 }, (_, at) => `line ${at} ${"äöü 😀 日本 ".repeat(at % 12)}`);
  await writeFile(path.join(files, "text"), `${lines.join("\n")}\n`);
  await writeFile(
    path.join(files, "tmux.conf"),
    "set -g status-right ''\nset -g status-interval 0\nset -g default-command sh\n",
  );
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

const ctl = (...words: readonly string[]) => [...HPSCTL, ...words];
const environment = () => ({ HPSCONFIG: path.join(hpsd.folder, "hpsctl.yaml"), LANG: "C.UTF-8", TMUX: "" });

/** A terminal with hpsctl in it. */
async function through(...words: readonly string[]): Promise<TmuxScreen> {
  const screen = await TmuxScreen.start(ctl("installer-shell", "lab/h1", ...words), SMALL, environment());
  onTestFinished(async () => await screen[Symbol.asyncDispose]());
  return screen;
}

/** The same shell without anything between. */
async function direct(): Promise<TmuxScreen> {
  const env = { LANG: "C.UTF-8", TMUX: "", HOME: path.join(hpsd.folder, "agent/home") };
  const screen = await TmuxScreen.start(["/bin/bash", "-l"], SMALL, env);
  onTestFinished(async () => await screen[Symbol.asyncDispose]());
  return screen;
}

async function pair(): Promise<readonly [TmuxScreen, TmuxScreen]> {
  const both = [await through(), await direct()] as const;
  await expect.poll(async () => await both[0].text(), SOON).toMatch(/[#$]$/m);
  await alike(both, /^\$$/m, async (screen) => await screen.line(`cd ${files}; PS1='$ '; export TERM; clear`));
  return both;
}

test("a shell, vim, less, tmux and a 4-byte emoji look as without hpsctl between, also after a resize", async () => {
  const both = await pair();
  await alike(
    both,
    /24 80/,
    async (screen) => await screen.line("stty size; echo $TERM $LANG; printf '\\360\\237\\230\\200 x\\n'"),
  );
  await alike(both, /33 101/, async (screen) => {
    await screen.resize(LARGE);
    await screen.line("stty size");
  });
  await alike(both, /echo 😀日!/, async (screen) => {
    await screen.type("echo 😀日本 abc");
    await screen.press("BSpace", "BSpace", "BSpace", "BSpace", "BSpace");
    await screen.type("!");
  });
  await alike(both, /^\$$/m, async (screen) => await screen.press("C-u", "C-l"));
  await alike(
    both,
    /line 18.*\n(.*\n)*.*1,1/,
    async (screen) => await screen.line("vim.tiny -n -u NONE -c 'set ruler' text"),
  );
  await alike(both, /new 😀 line/, async (screen) => {
    await screen.type("Gonew 😀 line");
    await screen.press("Escape");
  });
  await alike(both, /new 😀 line/, async (screen) => await screen.resize(SMALL));
  await alike(both, /^\$$/m, async (screen) => await screen.line(":q!"));
  await alike(both, /line 17 /, async (screen) => await screen.line("less text"));
  await alike(both, /line 3\d /, async (screen) => {
    await screen.press("Space");
    await screen.resize(LARGE);
  });
  await alike(both, /line 47/, async (screen) => await screen.line("/line 47"));
  await alike(both, /^\$$/m, async (screen) => await screen.type("q"));
});

test("tmux in it is drawn as without, divided and resized", async () => {
  const both = await pair();
  // Each has its own, called the same in what is shown.
  const start = (at: number) => `tmux -f tmux.conf -S ./inner-${at} new-session -s inner -n w 'PS1="> " sh'`;
  await Promise.all(both.map(async (screen, at) => await screen.line(`clear; ${start(at)}; clear`)));
  await alike(both, /\[inner\]/, async () => undefined);
  await alike(both, /in a pane 😀/, async (screen) => await screen.line("echo in a pane 😀"));
  await alike(both, /│/, async (screen) => await screen.press("C-b", "%"));
  await alike(both, /│/, async (screen) => await screen.resize(LARGE));
  await Promise.all(both.map(async (screen) => await screen.press("C-b", ":")));
  await alike(both, /^\$$/m, async (screen) => await screen.line("kill-server"));
});

test("htop fills the window it is given and the one it is resized to", async () => {
  const screen = await through();
  await expect.poll(async () => await screen.text(), SOON).toMatch(/[#$]$/m);
  await screen.line("htop");
  const fills = async (rows: number, columns: number) => {
    const lines = (await screen.text()).trimEnd().split("\n");
    // Its table's title is drawn to the last column, its keys stand in the last row.
    const title = (await screen.shown()).split("\n").find((line) => line.includes("PID") && line.includes("Command"));
    return [lines.length === rows, /F1Help.*F10Quit/.test(lines.at(-1) ?? ""), plainLength(title ?? ""), columns];
  };
  await expect.poll(async () => await fills(24, 80), SOON).toEqual([true, true, 80, 80]);
  await screen.resize(LARGE);
  await expect.poll(async () => await fills(33, 101), SOON).toEqual([true, true, 101, 101]);
  await screen.type("q");
  await expect.poll(async () => await screen.shown(), SOON).toMatch(/[#$] *\n[ \n]*cursor .* 0 0\n$/);
});

/** Of a line with colours and other characters sets. */
function plainLength(line: string): number {
  return line.replace(DRAWN, "").length;
}

const DRAWN = new RegExp(["\\x1b\\[[\\d;]*m", "\\x1b\\(B", "[\\x0e\\x0f]"].join("|"), "g");

test("the window has its size before the first byte, exit codes and signals come back, a child in the background holds nothing", async () => {
  const screen = await through();
  await expect.poll(async () => await screen.text(), SOON).toMatch(/[#$]$/m);
  await screen.line("exit 7");
  await expect.poll(async () => await screen.text(), SOON).toContain("exit=7");
  const hpsctl = (...command: readonly string[]) =>
    run(ctl("shell", "-n", "lab/h1", "--", ...command), { env: environment() });
  expect(await hpsctl("sh", "-c", "kill -9 $$")).toMatchObject({ code: 137 });
  expect(await hpsctl("sh", "-c", "sleep 1000 & echo started")).toMatchObject({ code: 0, stdout: "started\n" });
  const killed = await through();
  await expect.poll(async () => await killed.text(), SOON).toMatch(/[#$]$/m);
  await killed.line("kill -9 $$");
  await expect.poll(async () => await killed.text(), SOON).toContain("hpsctl: the program was ended by SIGKILL");
  await expect.poll(async () => await killed.text(), SOON).toContain("exit=137");
});

test("a tree goes through a pipe and by cp, there and back, over a real agent", async () => {
  // Not the folder that programs of other tests leave their sockets in, of which tar warns.
  const [tree, to] = [path.join(hpsd.folder, "tree"), path.join(hpsd.folder, "piped")];
  await mkdir(path.join(tree, "deep"), { recursive: true });
  await copyFile(path.join(files, "text"), path.join(tree, "deep/text"));
  const env = environment();
  const command = `tar -C "$1" -c . | "$2" "$3" shell lab/h1 -- sh -c 'mkdir "$1" && tar -x -C "$1"' - "$4"`;
  const piped = await run(["/bin/bash", "-o", "pipefail", "-c", command, "-", tree, ...HPSCTL, to], { env });
  expect(piped).toMatchObject({ code: 0, stderr: "" });
  const [copied, back] = [path.join(hpsd.folder, "copied"), path.join(hpsd.folder, "back")];
  expect(await run(ctl("cp", "-r", tree, `lab/h1:${copied}`), { env })).toMatchObject({ code: 0 });
  expect(await run(ctl("cp", "-r", `lab/h1:${copied}`, back), { env })).toMatchObject({ code: 0 });
  for (const folder of [to, copied, back]) {
    expect(await readFile(path.join(folder, "deep/text"))).toEqual(await readFile(path.join(files, "text")));
  }
});

test("a terminal goes on over an hpsd that was killed and started again, and hpsctl comes back to it by itself", async () => {
  const screen = await through();
  await expect.poll(async () => await screen.text(), SOON).toMatch(/[#$]$/m);
  await screen.line("x=kept; echo set $x");
  await expect.poll(async () => await screen.text(), SOON).toMatch(/^set kept$/m);
  await hpsd.program().stop("SIGKILL");
  await expect.poll(async () => await screen.text(), SOON).toContain("~. leaves");
  await hpsd.start();
  await expect.poll(async () => await screen.text(), SOON).toContain("hpsctl: back in the session");
  await screen.line("echo still $x; exit 5");
  await expect.poll(async () => await screen.text(), SOON).toMatch(/^still kept$/m);
  await expect.poll(async () => await screen.text(), SOON).toContain("exit=5");
});

test("a program with the whole screen is there again, as it was, where one comes back to it", async () => {
  const first = await through();
  await expect.poll(async () => await first.text(), SOON).toMatch(/[#$]$/m);
  await first.line(`cd ${files}; vim.tiny -n -u NONE -c 'set ruler' text`);
  await expect.poll(async () => await first.text(), SOON).toMatch(/line 12\n(.*\n)*.*1,1/);
  await first.type("Gonew 😀 line");
  await first.press("Escape");
  await expect.poll(async () => await first.text(), SOON).toMatch(/201,13.*Bot$/m);
  const before = await settled(first);
  await first.press("Enter");
  await first.type("~d");
  await expect.poll(async () => await first.text(), SOON).toContain("exit=0");
  const [, id = ""] = /session attach ([0-9a-f-]{36})/.exec((await first.text()).replaceAll("\n", "")) ?? [];
  const second = await TmuxScreen.start(ctl("session", "attach", id), SMALL, environment());
  onTestFinished(async () => await second[Symbol.asyncDispose]());
  // Blanks that were written and cells that never were look alike.
  const seen = (shown: string) => shown.replace(/ +$/gm, "");
  await expect.poll(async () => seen(await second.shown()), SOON).toBe(seen(before));
  await second.line(":q!");
  await second.line("exit 4");
  await expect.poll(async () => await second.text(), SOON).toContain("exit=4");
});

test("a detached terminal goes on, and is come back to", async () => {
  const first = await through();
  await expect.poll(async () => await first.text(), SOON).toMatch(/[#$]$/m);
  await first.line("x=kept; echo set $x");
  await expect.poll(async () => await first.text(), SOON).toMatch(/^set kept$/m);
  await first.line("");
  await first.type("~d");
  await expect.poll(async () => await first.text(), SOON).toContain("hpsctl: detached; the session goes on");
  await expect.poll(async () => await first.text(), SOON).toContain("exit=0");
  const [, id = ""] = /session attach ([0-9a-f-]{36})/.exec((await first.text()).replaceAll("\n", "")) ?? [];
  const second = await TmuxScreen.start(ctl("session", "attach", id), SMALL, environment());
  onTestFinished(async () => await second[Symbol.asyncDispose]());
  // What was on the screen is there again.
  await expect.poll(async () => await second.text(), SOON).toMatch(/^set kept$/m);
  await second.line("echo still $x");
  await expect.poll(async () => await second.text(), SOON).toMatch(/^still kept$/m);
  expect(await run(ctl("session", "kill", id, "--yes", "--reason", "enough"), { env: environment() })).toMatchObject({
    code: 0,
  });
  await expect.poll(async () => await second.text(), SOON).toMatch(/hpsctl: the session ended: .*enough/);
});
