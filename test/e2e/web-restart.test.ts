/** What somebody in the web terminal sees of an hpsd that is restarted: a real one, a real agent, a real Chromium. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { armHost } from "../faults/load-agents.ts";
import { startAgent } from "../faults/real-agent.ts";
import { type RealHpsd, startHpsd } from "../faults/real-hpsd.ts";
import { launch, makeKeyStore } from "./chromium.ts";

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let home: string;
let browser: BrowserContext;
/** What the browser's console said that is no good. */
const complaints: string[] = [];

beforeAll(async () => {
  hpsd = await startHpsd();
  await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
  home = await mkdtemp(path.join(tmpdir(), "hps-web-"));
  const { root, ...pair } = await operatorFiles(hpsd);
  await makeKeyStore(home, root, pair);
  browser = await launch(home);
});
afterAll(async () => {
  await browser?.close();
  await hpsd?.[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

/** What `hpsctl login` wrote. */
async function operatorFiles({ folder }: RealHpsd) {
  const all = await readdir(folder, { recursive: true });
  const own = all.find((name) => name.endsWith(".root.pem"))?.replace(/\.root\.pem$/, "") ?? expect.unreachable();
  const read = async (suffix: string) => await readFile(path.join(folder, own + suffix), "utf8");
  return { key: await read(".key"), cert: await read(".pem"), root: await read(".root.pem") };
}

const state = async (page: Page, words: string) =>
  await page.locator("#state", { hasText: new RegExp(`^${words}$`) }).waitFor({ timeout: 60_000 });
const shows = async (page: Page, text: string) =>
  await page.locator(".xterm-rows", { hasText: new RegExp(RegExp.escape(text)) }).waitFor({ timeout: 60_000 });
const ended = async (page: Page) => await page.waitForSelector("#end:not([hidden])", { timeout: 60_000 });

async function openShell(): Promise<Page> {
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`https://localhost:${hpsd.https}/web/?host=lab/h1`);
  await page.click("#go");
  await state(page, "connected");
  return page;
}

test.each([
  ["SIGKILL", /^The browser lost its connection to hpsd: hpsd was restarted, or the network broke\.$/],
  ["SIGTERM", /^Hpsd is stopping\.$/],
] as const)(
  "hpsd ends by %s and is started again: the page says so and comes back, and nothing is typed twice",
  async (signal, why) => {
    const page = await openShell();
    await page.keyboard.type("count=0; step() { count=$((count+1)); echo step $count; }; step\n");
    await shows(page, "step 1");
    await hpsd.program().stop(signal);
    await ended(page);
    expect(await page.textContent("#state")).toBe("connection lost");
    expect(await page.textContent("#end-title")).toBe("The connection is lost");
    expect(await page.textContent("#end-text")).toMatch(why);
    expect(await page.textContent("#end-hint")).toBe("The session goes on for some minutes.");
    // Nobody is there to take it: it goes nowhere, and not to the program later.
    await page.locator(".xterm-helper-textarea").evaluate(`(area) =>
    area.dispatchEvent(new InputEvent("input", { data: "step\\n", inputType: "insertText" }))`);
    await page.click("#again");
    await page.locator("#end-text", { hasText: /^Hpsd cannot be reached\.$/ }).waitFor();
    // That nobody answered is what the browser itself says, and all it says.
    expect(complaints.splice(0)).toEqual([expect.stringContaining("ERR_CONNECTION_REFUSED")]);
    await hpsd.start();
    await page.click("#again");
    await state(page, "connected");
    await shows(page, "step 1");
    await page.keyboard.type("step\n");
    await shows(page, "step 2");
    await page.keyboard.type("exit $count\n");
    await ended(page);
    expect(await page.textContent("#end-text")).toBe("The shell ended with exit code 2.");
    expect(complaints).toEqual([]);
    await page.close();
  },
);

test("what was typed and not taken when the connection broke is told, and not sent again", async () => {
  const page = await openShell();
  // Who does not read leaves what is typed on the way.
  await page.keyboard.type("stty -echo -icanon; echo re''ady; sleep 1000\n");
  await shows(page, "ready");
  process.kill(hpsd.program().pid, "SIGSTOP");
  await page.keyboard.type("lost words");
  await hpsd.program().stop("SIGKILL");
  await ended(page);
  expect(await page.textContent("#end-hint")).toBe(
    "The session goes on for some minutes. What you typed last may not have reached the program: look before you type it again.",
  );
  await hpsd.start();
  await page.click("#again");
  await state(page, "connected");
  await page.keyboard.press("Control+c");
  await page.keyboard.type("stty sane; echo al''l\n");
  await shows(page, "all");
  expect(await page.locator(".xterm-rows").textContent()).not.toContain("lost words");
  await page.click("#finish");
  await ended(page);
  expect(complaints).toEqual([]);
  await page.close();
});
