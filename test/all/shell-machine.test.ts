import { afterAll, beforeAll, describe, expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { rescuedMachine } from "../lab/rescued-machine.ts";
import type { Finished } from "../lab/run.ts";
import { nothingLeftAtHpsd, recordingHolds, shellUser } from "../lab/shell-user.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const GIB = 1024 ** 3;
const HOST = "web01";
const ADDRESS = "10.77.0.30";
/** hpsd gives a machine that says nothing 50 s, and 90 s more before it serves another. */
const SILENT_MS = 90_000;
const BACK_SECONDS = 240;
/** From the step `bootloader` to the end of the last one, and from there to the installed system, usually. */
const DONE_SECONDS = 60;
const UP_SECONDS = 120;
const WORD_SECONDS = 5;
/** An agent counts hpsd as lost after a minute. */
const LOST_SECONDS = 60;

scenario("shell-reset", async () => {
  await using rack = await startInstallRack({ image: "none" });
  await using vm = await rescuedMachine(rack, { name: HOST, mac: "52:54:00:00:0e:01" });
  await using user = await shellUser(rack);
  await vm.reset();
  await user.terminal.shows(/hpsctl: host \S+ is out of reach; the session waits for it, at most 5 min/, SILENT_MS);
  const why = /hpsctl: the session ended: host \S+ was restarted, and what ran on it is gone\r/;
  await user.terminal.shows(why, await limit(BACK_SECONDS));
  expect(await user.terminal.ended).toBe(255);
  expect((await nothingLeftAtHpsd(rack, user.session)).endReason).toMatch(/ was restarted, /);
  await recordingHolds(rack, user.session);
  await using again = await shellUser(rack);
  await again.terminal.type("exit 3\n");
  expect(await again.terminal.ended).toBe(3);
  // The tools too, which the machine lost with its memory.
  const tools = ["installer-shell", HOST, "-n", "--wait", "1m", "--", "lsblk", "-no", "NAME", "/dev/vda"];
  await expect.poll(async () => (await rack.hpsctl(...tools)).stdout, { timeout: SILENT_MS }).toBe("vda\n");
  expect(vm.console.text()).not.toContain("STOPPED");
});

describe("on an installed host", () => {
  let rack: InstallRack;
  let vm: Vm;
  beforeAll(async () => {
    rack = await startInstallRack({ sets: ["shell.recording=best-effort"] });
    vm = await rack.addMachine({
      ...{ name: HOST, firmware: "bios", nics: [{ mac: "52:54:00:00:0e:02" }], bootOrder: "disk-first" },
      disks: [{ bus: "virtio", bytes: 24 * GIB }],
      // While hpsd is away nobody gives it an address.
      words: ["--address", ADDRESS, "--network", "static"],
    });
  });
  afterAll(async () => {
    await vm?.[Symbol.asyncDispose]();
    await rack?.[Symbol.asyncDispose]();
  });

  scenario("shell-restart", async () => {
    const installation = await FollowedInstallation.arm(rack, vm);
    await vm.powerOn();
    await installation.starts("bootloader");
    await using user = await shellUser(rack);
    const { terminal } = user;
    const waits = /\*\*\* 1 shell session is open: the machine restarts when none is, at \S+ at the latest; .*\*\*\*/;
    await terminal.shows(waits, await limit(DONE_SECONDS));
    const holds = async (signal: "TSTP" | "CONT", is: boolean, words: RegExp) => {
      await terminal.type(`kill -${signal} $(pidof node)\n`);
      await terminal.shows(words, await limit(WORD_SECONDS));
      await expect.poll(async () => (await installation.get()).rebootPaused, { timeout: 30_000 }).toBe(is);
    };
    for (let times = 0; times < 3; times += 1) {
      await holds("TSTP", true, /\*\*\* the restart is held: hpsctl installation resume-reboot .*\*\*\*/);
      await holds("CONT", false, waits);
    }
    expect(await installation.get()).toMatchObject({ state: InstallationState.REBOOTING, attached: true });
    await terminal.type("exit 3\n");
    expect(await terminal.ended).toBe(3);
    await vm.waitForReset(await limit(WORD_SECONDS * 2));
    await installation.succeeds();
    await nothingLeftAtHpsd(rack, user.session);
    await recordingHolds(rack, user.session);
  });

  scenario("shell-direct", async () => {
    expect((await rack.hpsctl("cluster", "edit", "lab", "--shell-direct", "on")).code).toBe(0);
    await keepsList(rack);
    await rack.hpsd().stop("SIGKILL");
    const lost = performance.now();
    expect((await directly(rack, "true")).code).not.toBe(0);
    await comesIn(rack, "echo first; exit 7", { code: 7, stdout: "first\n" });
    expect(performance.now() - lost).toBeGreaterThan(LOST_SECONDS * 900);
    await directly(rack, "systemctl --no-block poweroff");
    await vm.waitForOff(await limit(UP_SECONDS));
    await vm.powerOn();
    await comesIn(rack, "echo second; exit 8", { code: 8, stdout: "second\n" });
    await rack.restart("SIGKILL");
    const kept = async () => (await rack.hps.shells.listSessions({})).sessions.filter(({ keptByAgent }) => keptByAgent);
    const ends = async () => (await kept()).map(({ exitCode }) => exitCode);
    await expect.poll(ends, { timeout: await limit(UP_SECONDS) }).toEqual(expect.arrayContaining([7, 8]));
    for (const { id } of await kept()) await recordingHolds(rack, id);
    expect((await rack.hpsctl("session", "ls", "-o", "wide")).stdout).toContain("by the agent");
    const listens = await rack.hpsctl("installer-shell", HOST, "-n", "--", "cat", "/proc/net/tcp", "/proc/net/tcp6");
    expect(listens).toMatchObject({ code: 0 });
    expect(listens.stdout).not.toMatch(/:1B43 \S+ 0A /); // 6979, LISTEN
    expect((await directly(rack, "true")).code).not.toBe(0);
  });
});

/** Waits until the host has its list of who may enter directly. */
async function keepsList(rack: InstallRack): Promise<void> {
  const look = ["installer-shell", HOST, "-n", "--", "find", "/var/lib/hps", "-name", "list.json"];
  await expect
    .poll(async () => (await rack.hpsctl(...look)).stdout, { timeout: await limit(WORD_SECONDS) })
    .toContain("/direct/list.json");
}

async function directly({ hpsctl }: InstallRack, command: string): Promise<Finished> {
  const words = ["--direct", "--address", ADDRESS, "--reason", "hpsd is down", "--", "sh", "-c", command];
  return await hpsctl("installer-shell", "-n", HOST, ...words);
}

async function comesIn(rack: InstallRack, command: string, expected: Partial<Finished>): Promise<void> {
  const timeout = (await limit(UP_SECONDS)) + LOST_SECONDS * 1000;
  await expect.poll(async () => await directly(rack, command), { timeout, interval: 3000 }).toMatchObject(expected);
}
