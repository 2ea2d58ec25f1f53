import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DoorApp } from "../../server/http/https-door.ts";
import { openTestDoor } from "../../server/http/testing.ts";
import { selectAudit } from "../../server/store/audit.ts";
import { startWebRig, type WebRig } from "./web-rig.ts";

let rig: WebRig;
let browser: BrowserContext;

beforeAll(async () => {
  rig = await startWebRig();
  browser = await rig.browse();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const ALICE = "spiffe://test.example/operator/alice";

/** What the browser's console said that is no good: a breach of the policy above all. */
const complaints: string[] = [];

async function openPage(path = "/web/?host=lab/h1", context = browser): Promise<Page> {
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(rig.url + path);
  return page;
}

async function openShell(): Promise<Page> {
  const page = await openPage();
  await page.fill("#ask-reason", "why not");
  await page.click("#go");
  await state(page, "connected");
  return page;
}

const state = async (page: Page, words: string) =>
  await page.locator("#state", { hasText: new RegExp(`^${words}$`) }).waitFor();
const shows = async (page: Page, text: string, timeout = 20_000) =>
  await page.locator(".xterm-rows", { hasText: new RegExp(RegExp.escape(text)) }).waitFor({ timeout });
const audit = async () =>
  await rig.shell.identity.store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 500 }));
/** What the terminal shows, a line a row. */
const screenOf = async (page: Page) => (await page.locator(".xterm-rows > div").allTextContents()).join("\n");
const rowsIn = async (page: Page) => await page.locator(".xterm-rows > div").count();
const rowsOf = async () => await rig.shell.shells.list({ clusters: "all", openOnly: false, limit: 50 });

test("a shell of a real agent in a real browser: typed, answered, recorded, its size and its end", async () => {
  const page = await openShell();
  await page.keyboard.type("stty size; echo $TERM a$((20+22))b\n");
  await shows(page, "xterm-256color a42b");
  const rows = await page.locator(".xterm-rows > div").count();
  await shows(page, `${rows} `);
  expect(await page.textContent("#host")).toBe("lab/h1");
  expect(await page.textContent("#people")).toBe("you (wendy)");
  expect(await page.textContent("#recorded")).toBe("recorded");
  await page.setViewportSize({ width: 800, height: 500 });
  await expect.poll(() => page.locator(".xterm-rows > div").count()).toBeLessThan(rows);
  await page.keyboard.type("stty size\n");
  await shows(page, `${await page.locator(".xterm-rows > div").count()} `);
  await page.keyboard.type("exit 7\n");
  await page.waitForSelector("#end:not([hidden])");
  expect(await page.textContent("#end-text")).toBe("The shell ended with exit code 7.");
  const [row] = await rowsOf();
  expect(row).toMatchObject({ operator: "wendy", reason: "why not", exitCode: 7 });
  const raw = row && (await rig.shell.recordingOf(row, "raw"));
  expect(raw?.toString()).toContain("xterm-256color a42b");
  const opened = (await audit()).find(({ details }) => details.session === row?.id);
  expect(opened).toMatchObject({
    action: "web.open",
    actor: "spiffe://test.example/operator/wendy",
    outcome: "allowed",
  });
  expect(complaints).toEqual([]);
  await page.close();
});

test("yes for ten seconds neither grows nor locks the page, and Ctrl-C is heard within two", {
  timeout: 60_000,
}, async () => {
  const page = await openShell();
  const cdp = await browser.newCDPSession(page);
  const used = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    return (await cdp.send("Runtime.getHeapUsage")).usedSize;
  };
  await page.keyboard.type("yes\n");
  await shows(page, "yyy", 5000);
  const early = await used();
  const end = Date.now() + 10_000;
  let most = 0;
  while (Date.now() < end) {
    most = Math.max(most, ...rig.shell.shells.bufferedBytes.values());
    // The page answers: it is not locked.
    const asked = performance.now();
    await page.evaluate("new Promise((resolve) => setTimeout(resolve))");
    expect(performance.now() - asked).toBeLessThan(2000);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const late = await used();
  await page.keyboard.press("Control+c");
  await shows(page, "^C", 2000);
  await page.keyboard.type("echo st''opped\n");
  await shows(page, "stopped", 5000);
  expect(most).toBeLessThan(2 * 1024 * 1024);
  expect(late - early).toBeLessThan(16 * 1024 * 1024);
  await page.close();
});

/** From inside a page: a WebSocket with this ticket; `open` or `refused`. */
const knock = async (page: Page, ticket: string) =>
  await page.evaluate(`new Promise((resolve) => {
    const url = ${JSON.stringify(`${rig.url.replace("https", "wss")}/web/socket`)};
    const socket = new WebSocket(url, ["hps.terminal.v1", ${JSON.stringify(`hps.ticket.${ticket}`)}]);
    socket.onopen = () => { resolve("open"); socket.close(); };
    socket.onerror = () => resolve("refused");
  })`);

const ticketFrom = async (page: Page) => {
  const given: unknown = await page.evaluate(`fetch("tickets", {
    method: "POST",
    headers: { "content-type": "application/json", "hps-page": "1" },
    body: JSON.stringify({ host: "lab/h1" }),
  }).then((answer) => answer.json()).then(({ ticket }) => ticket)`);
  return String(given);
};

test("a ticket opens one socket, and only for half a minute", async () => {
  const page = await openPage();
  const ticket = await ticketFrom(page);
  expect(await knock(page, ticket)).toBe("open");
  expect(await knock(page, ticket)).toBe("refused");
  const late = await ticketFrom(page);
  rig.shell.identity.clock.forward(31_000);
  expect(await knock(page, late)).toBe("refused");
  const reasons = (await audit()).filter(({ action }) => action === "web.upgrade").map(({ reason }) => reason);
  expect(reasons).toEqual([
    "this ticket opens nothing: it is unknown or was used",
    "this ticket opens nothing: it has expired",
  ]);
  expect(complaints.splice(0).every((text) => text.includes("Unexpected response code: 403"))).toBe(true);
  await page.close();
});

test("a page of another origin gets nothing, with the certificate in its hand", async () => {
  const html = (app: DoorApp) => void app.get("/evil", (_request, reply) => reply.type("text/html").send("<p>hello"));
  await using evil = await openTestDoor(rig.shell.identity, { routes: [html] });
  const ours = await openPage();
  const ticket = await ticketFrom(ours);
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  await page.goto(`https://127.0.0.1:${evil.door.port}/evil`);
  expect(await knock(page, ticket)).toBe("refused");
  const asked = await page.evaluate(`Promise.allSettled([{ mode: "no-cors" }, { headers: {
    "content-type": "application/json", "hps-page": "1" } },
  ].map((how) => fetch(${JSON.stringify(`${rig.url}/web/tickets`)}, {
    method: "POST", body: '{"host":"lab/h1"}', credentials: "include", ...how,
  }))).then((ends) => ends.map(({ status }) => status))`);
  expect(asked).toEqual(["rejected", "rejected"]);
  expect(said.filter((text) => text.includes("Unexpected response code: 403"))).toHaveLength(1);
  // In wendy's name: the certificate was presented, and was not enough.
  const refused = (await audit()).filter(({ outcome, reason }) => outcome === "refused" && reason.includes("Origin"));
  expect(refused).toMatchObject([
    { action: "web.upgrade", actor: "spiffe://test.example/operator/wendy" },
    { action: "web.ticket", actor: "spiffe://test.example/operator/wendy" },
  ]);
  // It is still the page's it was given to.
  expect(await knock(ours, ticket)).toBe("open");
  await page.close();
  await ours.close();
});

/** A link of alice's, as she got it from hpsd; opened in a browser that has no certificate. */
async function openLink(
  context: BrowserContext,
  wish: { readonly write: boolean },
): Promise<{ page: Page; path: string }> {
  const { url } = await rig.shell.operator.createSessionLink({ host: "lab/h1", reason: "look", ...wish });
  const path = url.replace(/^https:\/\/[^/]*/, "");
  return { path, page: await openPage(path, context) };
}

test("a link without a certificate: watches and cannot type, works once, leaves no secret in the address", async () => {
  const stranger = await rig.browse({ certificate: false });
  const owner = await openShell();
  await owner.keyboard.type("echo se''en\n");
  await shows(owner, "seen");
  await owner.setViewportSize({ width: 700, height: 400 });
  const { page, path } = await openLink(stranger, { write: false });
  expect(page.url()).toBe(`${rig.url}/web/`);
  expect(await page.textContent("#begin-title")).toBe("You were given a link to a shell");
  await page.click("#go");
  await state(page, "watching");
  // The screen as it is, as large as it is, in a larger window.
  await shows(page, "seen");
  await owner.keyboard.type("echo tog''ether\n");
  await shows(page, "together");
  const rows = await rowsIn(owner);
  await expect.poll(async () => (await rowsIn(page)) - (await rowsIn(owner))).toBe(0);
  await owner.setViewportSize({ width: 900, height: 600 });
  await expect.poll(() => rowsIn(owner)).toBeGreaterThan(rows);
  await owner.keyboard.type("echo lar''ger\n");
  await shows(page, "larger");
  await expect.poll(async () => (await rowsIn(page)) - (await rowsIn(owner))).toBe(0);
  await page.keyboard.type("echo in''truder\n");
  await page
    .locator(".xterm-helper-textarea")
    .evaluate("(area) => area.dispatchEvent(new InputEvent('input', { data: 'x' }))");
  // Its owner may let others type who watch; not a link that only watches.
  await owner.waitForSelector("#people button");
  await owner.click("#people button");
  await owner.keyboard.press("Control+Shift+L");
  await page.keyboard.type("echo in''truder\n");
  await owner.click(".xterm-screen");
  await owner.keyboard.type("echo aft''er\n");
  await shows(page, "after");
  expect(await screenOf(owner)).not.toContain("truder");
  await state(page, "watching");
  const again = await openPage(path, stranger);
  await again.click("#go");
  await again.waitForSelector("#problem:not([hidden])");
  expect(await again.textContent("#problem")).toMatch(/^this link opens nothing: it was used/);
  await owner.click("#finish");
  await page.waitForSelector("#end:not([hidden])");
  expect(await page.textContent("#end-text")).toBe("Wendy left it.");
  const watched = (await audit()).filter(({ action }) => action === "web.attach");
  expect(watched).toMatchObject([{ actor: ALICE, address: "127.0.0.1" }]);
  const opener = await openLink(stranger, { write: true });
  await opener.page.click("#go");
  await state(opener.page, "connected");
  await opener.page.keyboard.type("echo o''kay; exit\n");
  await opener.page.waitForSelector("#end:not([hidden])");
  expect((await rowsOf())[0]).toMatchObject({ operator: "alice", reason: "look", exitCode: 0 });
  expect(complaints.splice(0).filter((text) => !/40[13]/.test(text))).toEqual([]);
  await owner.close();
});

test("a session that is left is come back to, as it stands", async () => {
  const page = await openShell();
  await page.keyboard.type("kept=ye''s\n");
  await page.click("#detach");
  await page.waitForSelector("#end:not([hidden])");
  await page.click("#again");
  await state(page, "connected");
  await shows(page, "kept=ye''s");
  await page.keyboard.type("echo still$kept\n");
  await shows(page, "stillyes");
  await page.click("#finish");
  await page.waitForSelector("#end:not([hidden])");
  await page.close();
});

test("lines that are pasted wait for a yes, and an escape cannot end the bracket around them", async () => {
  const page = await openShell();
  const paste = async (text: string) =>
    await page.evaluate(`{
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", ${JSON.stringify(text)});
      const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
      document.querySelector(".xterm-helper-textarea").dispatchEvent(paste);
    }`);
  await page.keyboard.type("echo rea''dy; cat -v; echo do''ne\n");
  await shows(page, "ready");
  await paste("one\ntwo\u001b[201~\n");
  await page.waitForSelector("#paste[open]");
  expect(await page.textContent("#paste-title")).toBe("Paste 3 lines?");
  await page.keyboard.press("Escape");
  await paste("three\nfo\u001bur\n");
  await page.click("#paste button.primary");
  await shows(page, "four");
  await page.keyboard.press("Control+d");
  await shows(page, "done");
  expect(await screenOf(page)).not.toMatch(/\b(one|two)\b|\^\[/);
  await page.keyboard.type("exit\n");
  await page.close();
});

test("what a program prints draws and does nothing else", async () => {
  const page = await openShell();
  const title = await page.title();
  const hostile = [
    "\\033]0;gotcha\\007",
    "\\033]52;c;Z290Y2hh\\007",
    "\\033]8;;https://evil.example\\033\\\\click\\033]8;;\\033\\\\",
    "\\033[8;5;5t\\033[21t\\033[18t",
  ];
  await page.keyboard.type(`clear; printf '${hostile.join("")}'; echo en''d\n`);
  await shows(page, "end");
  await shows(page, "click");
  expect(await page.title()).toBe(title);
  expect(await page.locator(".xterm-rows a, .xterm-rows .xterm-underline-5").count()).toBe(0);
  expect(await page.locator(".xterm-rows > div").count()).toBeGreaterThan(10);
  await page.keyboard.type("echo $((6*7))\n");
  await shows(page, "42");
  expect(await screenOf(page)).not.toMatch(/\[8;|;5t|]l/);
  expect(complaints).toEqual([]);
  await page.close();
});

test("a session that waits for approval says so, and begins when a second person says yes", async () => {
  await rig.shell.policy({ approvalRequired: true });
  const page = await openPage();
  await page.click("#go");
  await state(page, "waiting for approval");
  expect(await page.textContent("#notice")).toMatch(/wants another operator's approval/);
  const [row] = await rowsOf();
  await rig.shell.operator.approveSession({ session: row?.id ?? "" });
  await state(page, "connected");
  await page.keyboard.type("echo app''roved\n");
  await shows(page, "approved");
  expect(await page.textContent("#people")).toBe("you (wendy)");
  await page.click("#finish");
  await page.waitForSelector("#end:not([hidden])");
  await rig.shell.policy({ approvalRequired: false });
  await page.close();
});

test("where grants let in, one does, and its end is the session's", async () => {
  await rig.shell.policy({ access: "grant" });
  const page = await openPage();
  await page.click("#go");
  await page.waitForSelector("#end:not([hidden])");
  expect(await page.textContent("#end-title")).toBe("Not opened");
  expect(await page.textContent("#end-text")).toMatch(/^You may not enter shells of host lab\/h1: /);
  const grant = await rig.shell.grant({ operator: "wendy" }, "enter");
  await page.click("#anew");
  await page.click("#go");
  await state(page, "connected");
  await rig.shell.revokeGrant(grant);
  await page.waitForSelector("#end:not([hidden])");
  expect(await page.textContent("#end-text")).toMatch(/may no longer enter/);
  await rig.shell.policy({ access: "role" });
  await page.close();
});

test("a revoked operator's page is closed at once, with the reason", async () => {
  const page = await openShell();
  const { identity } = rig.shell;
  const before = performance.now();
  await identity.store.write((tx) => identity.certificates.revoke(tx, { serial: rig.serial }, "left the company"));
  await page.waitForSelector("#end:not([hidden])");
  expect(performance.now() - before).toBeLessThan(2000);
  expect(await page.textContent("#end-text")).toMatch(/revoked.*left the company/);
  await expect.poll(async () => (await rowsOf())[0]?.endReason).toMatch(/left the company/);
  await page.click("#anew");
  await page.click("#go");
  await page.waitForSelector("#problem:not([hidden])");
  expect(await page.textContent("#problem")).toMatch(/revoked/);
  await page.close();
});
