/** A shell in the installer as it is on a machine, by the real hpsctl. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { rescuedMachine } from "../lab/rescued-machine.ts";
import { type Finished, inNamespace, must } from "../lab/run.ts";
import { nothingLeftAtHpsd, recordingHolds, shellUser } from "../lab/shell-user.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { alike, type Size, SOON, settled, TmuxScreen } from "./tmux.ts";

const HPSCTL = new URL("../../client/main.ts", import.meta.url).pathname;
const HOST = "web01";
const SMALL: Size = { columns: 80, rows: 24 };
const LARGE: Size = { columns: 101, rows: 33 };
/** The rescue system boots, and another guest may be before it. */
const BOOT_MS = 30 * 60_000;
/** From an agent's end to the next one's first word, usually. */
const AGAIN_SECONDS = 15;

let rack: InstallRack;
let vm: Vm;
beforeAll(async () => {
  rack = await startInstallRack({ image: "none" });
  vm = await rescuedMachine(rack, { name: HOST, mac: "52:54:00:00:0d:01" });
}, BOOT_MS);
afterAll(async () => {
  await vm?.[Symbol.asyncDispose]();
  await rack?.[Symbol.asyncDispose]();
});

const argv = (...words: readonly string[]) =>
  inNamespace(rack.rack.server.ns, [process.execPath, HPSCTL, "installer-shell", HOST, ...words]);
const onIt = async (...command: readonly string[]): Promise<Finished> =>
  await rack.hpsctl("installer-shell", HOST, "-n", "--", ...command);

/** A terminal with this in it, whatever the test's own is called. */
async function terminal(program: readonly string[], more: Readonly<Record<string, string>>): Promise<TmuxScreen> {
  const environment = { ...more, LANG: "C.UTF-8", TMUX: "" };
  const screen = await TmuxScreen.start(["env", "TERM=tmux-256color", ...program], SMALL, environment);
  onTestFinished(async () => await screen[Symbol.asyncDispose]());
  return screen;
}

test("busybox's shell, less and vi look in the installer as they do on this machine, also after a resize", async () => {
  const through = await terminal(argv(), rack.environment);
  await expect.poll(async () => await through.text(), SOON).toMatch(/^~ #$/m);
  const direct = await terminal(["busybox", "sh"], { HOME: rack.folder });
  await expect.poll(async () => await direct.text(), SOON).toMatch(/[#$]$/m);
  await settled(through);
  const both = [through, direct] as const;
  // One step after the other: busybox's shell asks the terminal where the cursor is, and loses what is typed before the answer.
  await alike(both, /^\$\s*$/, (screen) =>
    screen.line(`cd ${screen === through ? "/tmp" : rack.folder}; PS1='$ '; clear`),
  );
  await alike(both, /^24 80 tmux-256color C.UTF-8$/m, (screen) => screen.line("echo $(stty size) $TERM $LANG"));
  await alike(both, /^33 101$/m, async (screen) => {
    await screen.resize(LARGE);
    await screen.line("stty size");
  });
  await alike(both, /^\$\s*$/, (screen) => screen.line("clear"));
  await alike(both, /^32\n/m, (screen) => screen.line("seq 300 | busybox less"));
  await alike(both, /^60\n/m, (screen) => screen.press("Space"));
  await alike(both, /^\$$/m, (screen) => screen.type("q"));
  await alike(both, /^- notes/m, (screen) => screen.line("busybox vi notes"));
  await alike(both, /^hello there$/m, (screen) => screen.type("ihello there"));
  await alike(both, /^- notes \[Modified\]/m, (screen) => screen.press("Escape"));
  await alike(both, /^hello there$/m, (screen) => screen.resize(SMALL));
  await alike(both, /^\$$/m, (screen) => screen.line(":wq"));
  await alike(both, /^hello there$/m, (screen) => screen.line("clear; cat notes; lsblk --version > /dev/null"));
  await through.line("exit 7");
  await expect.poll(async () => await through.text(), SOON).toContain("exit=7");
});

test("exit codes, signals and pipes both ways are carried, and a child in the background holds nothing", async () => {
  expect(await onIt("sh", "-c", "echo out; echo error >&2; exit 7")).toMatchObject({
    ...{ code: 7, stdout: "out\n", stderr: "error\n" },
  });
  expect(await onIt("sh", "-c", "kill -9 $$")).toMatchObject({ code: 137 });
  expect(await onIt("sh", "-c", "sleep 1001 & echo started")).toMatchObject({ code: 0, stdout: "started\n" });
  const source = new URL("../../docs", import.meta.url).pathname;
  const tar = `tar -C "$0" -cf - . | "$@" -- sh -c 'mkdir /tmp/docs && tar -x -C /tmp/docs'`;
  const env = { env: rack.environment };
  await must(["bash", "-o", "pipefail", "-c", tar, source, ...argv()], env);
  const back = join(rack.folder, "back");
  const untar = `mkdir "$0" && "$@" -n -- tar -C /tmp -cf - docs | tar -xf - -C "$0"`;
  await must(["bash", "-o", "pipefail", "-c", untar, back, ...argv()], env);
  const sum = async (file: string) =>
    createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  expect(await sum(join(back, "docs/shell.md"))).toBe(await sum(join(source, "shell.md")));
  expect((await onIt("sh", "-c", "ps | grep 'slee[p] 1001'")).stdout).toBe("");
});

test("an agent that is killed leaves nothing of its sessions: their people read why, and new shells open", async () => {
  await using user = await shellUser(rack);
  await user.terminal.type("(trap '' HUP; exec sleep 1002) & echo no''ted\n");
  await user.terminal.shows("noted\r\n");
  const before = (await onIt("cat", "/proc/mounts")).stdout;
  const killed = vm.console.mark();
  await onIt("sh", "-c", "kill -9 $(pidof node)");
  await vm.console.waitFor(/^HPS: the agent crashed \(code 137\); starting it again/m, await limit(2), killed);
  await user.terminal.shows(/hpsctl: host \S+ is out of reach; the session waits for it, at most 5 min/);
  const why = /hpsctl: the session ended: the agent of host \S+ was started anew, and what ran under it is gone\r/;
  await user.terminal.shows(why, await limit(AGAIN_SECONDS));
  expect(await user.terminal.ended).toBe(255);
  await nothingLeftAtHpsd(rack, user.session);
  await recordingHolds(rack, user.session);
  expect((await onIt("sh", "-c", `ps | grep -e 'slee[p] 1002' -e '^ *${user.shell} '`)).stdout).toBe("");
  expect((await onIt("cat", "/proc/mounts")).stdout).toBe(before);
  expect(await onIt("lsblk", "--noheadings", "--output", "NAME", "/dev/vda")).toMatchObject({ stdout: "vda\n" });
  expect(vm.console.text().slice(killed)).not.toContain("STOPPED");
});
