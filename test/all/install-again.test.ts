/** A host that is installed again, with an image that has much in common with its system. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { parseUuid } from "../../proto/values/uuid.ts";
import { debianImage, installerSet, VIRTUAL } from "../lab/artifacts.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { extentOf } from "../lab/installed-disk.ts";
import { labFolder } from "../lab/janitor.ts";
import { expectInstalled, plainMachine } from "../lab/power-cut.ts";
import { must, run } from "../lab/run.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const HOST = { name: "web01", mac: "52:54:00:00:0a:01" };
const PATIENCE = { timeoutMs: 10 * 60_000 };
/** Newlines at the end of each fifth file of a size, from the `$1`th on: no program minds them. */
const CHANGE = `cd "$0" && find usr/bin usr/lib/x86_64-linux-gnu usr/share -type f -size +16k | LC_ALL=C sort |
  awk "NR % 5 == $1" | while read -r file; do printf '\\n\\n\\n\\n' >> "$file"; done`;

/** What hpsd has sent of files since it began. */
async function sentBy({ rack }: InstallRack): Promise<number> {
  const page = await must(["curl", "-sSk", "https://127.0.0.1:7444/metrics"], { ns: rack.server.ns });
  return Number(/^hps_file_bytes_total (\S+)$/m.exec(page)?.[1]);
}

/** Installs the machine with an image, and gives the bytes that this took from hpsd but for the tools, which each installer fetches. */
async function install(rack: InstallRack, vm: Vm, image: string, tools: number) {
  const before = await sentBy(rack);
  const installation = await FollowedInstallation.arm(rack, vm, { wipe: true, image });
  await vm.powerOn();
  await installation.succeeds();
  await expectInstalled(rack, vm.name);
  const fetched = (await sentBy(rack)) - before - tools;
  await vm.cutPower();
  const { offset, size } = await extentOf(vm.diskFile(0), parseUuid(installation.id), "root-b");
  const look = await run(["blkid", "--probe", "-O", `${offset}`, "-S", `${size}`, vm.diskFile(0)]);
  expect(look.stdout, "what root-b bears").toBe("");
  return fetched;
}

scenario("image-again", async () => {
  const folder = await labFolder();
  await using rack = await startInstallRack();
  await using vm = await plainMachine(rack, HOST);
  const tools = statSync(join(await installerSet(), "tools.squashfs")).size;
  const typed = async (...words: readonly string[]) => {
    const program = await rack.follow(words);
    expect(await program.ended, program.output()).toBe(0);
  };
  const tree = join(folder, "tree");
  mkdirSync(tree);
  await must(
    ["tar", "-C", tree, "--numeric-owner", "--xattrs", "-xf", await debianImage({ words: VIRTUAL })],
    PATIENCE,
  );
  for (const number of [1, 2]) {
    execFileSync("bash", ["-ec", CHANGE, tree, `${number}`]);
    await typed("image", "import", `debian/newer:${number}`, tree);
  }
  rmSync(folder, { recursive: true });

  const whole = await install(rack, vm, rack.image, tools);
  const again = await install(rack, vm, "debian/newer:1", tools);
  await typed("image", "delta", "debian/newer:1", "debian/newer:2");
  const byDelta = await install(rack, vm, "debian/newer:2", tools);
  console.info(`fetched: ${whole} bytes, again ${again}, by a delta ${byDelta}`);
  expect(again).toBeLessThan(whole / 2);
  expect(again).toBeGreaterThan(whole / 100);
  expect(byDelta).toBeLessThan(again / 2);
});
