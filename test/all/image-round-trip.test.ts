/** Trees imported by hpsctl into an hpsd, and unpacked from there to an ext4 by an agent's program: what comes out is what went in. */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { makeDebianTree } from "../../client/testing/debian-tree.ts";
import { noise } from "../../installer-agent/testing/unpack-rig.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import type { AgentDone } from "../bench/image-job.ts";
import { makeHostileNames } from "../faults/hostile-names.ts";
import { makeManyFiles } from "../faults/image-trees.ts";
import { armHost } from "../faults/load-agents.ts";
import { type RealHpsd, startHpsd } from "../faults/real-hpsd.ts";
import { makeUnpackAgent } from "../faults/unpack-agent.ts";
import { loopReleased } from "../lab/loop-devices.ts";
import { must } from "../lab/run.ts";
import { scenario } from "../runner/scenario.ts";

const MIB = 2 ** 20;
const GIBI = 2 ** 30;
const LIMIT_MS = 30 * 60_000;
const here = (name: string) => join(import.meta.dirname, "..", name);

let scratch: ReturnType<typeof makeScratch>;
let hpsd: RealHpsd & { readonly admin: Hps };
beforeAll(async () => {
  scratch = makeScratch();
  hpsd = await startHpsd();
});
afterAll(async () => {
  await hpsd[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

let hosts = 0;

/** Imports a tree, has a host armed with it, and unpacks it as that host; compares. */
async function roundTrip(name: string, tree: string): Promise<AgentDone> {
  expect(await hpsd.hpsctl("image", "import", name, tree)).toMatchObject({ code: 0 });
  hosts += 1;
  using agent = await makeUnpackAgent(await armHost(hpsd.admin, hosts, name), scratch.under("agents"));
  const [target, disk, job] = ["target", "disk", "job.json"].map((part) => scratch.under(part));
  if (target === undefined || disk === undefined || job === undefined) expect.unreachable();
  mkdirSync(target, { recursive: true });
  writeFileSync(job, JSON.stringify(await agent.job(target)), { mode: 0o600 });
  const script = `
    truncate -s 12G '${disk}'; mkfs.ext4 -q -F '${disk}'; mount -o loop '${disk}' '${target}'
    '${process.execPath}' '${here("bench/image-agent.ts")}' '${job}'
    echo 3 >/proc/sys/vm/drop_caches
    '${process.execPath}' '${here("faults/compare-here.ts")}' '${tree}' '${target}'`;
  const output = await must(["unshare", "--mount", "bash", "-ec", script], { timeoutMs: LIMIT_MS });
  await loopReleased(disk);
  await must(["e2fsck", "-fn", disk], { timeoutMs: LIMIT_MS });
  rmSync(disk);
  const [said = "", differences = ""] = output.trim().split("\n");
  expect(JSON.parse(differences)).toEqual([]);
  rmSync(tree, { recursive: true });
  const done: AgentDone = JSON.parse(said);
  console.info(
    `${name}: ${done.entries} entries, ${done.content} bytes; the agent took ${done.peakBytes} bytes of memory`,
  );
  return done;
}

scenario("round-trip-small-files", async () => {
  const tree = makeDebianTree(scratch.under("many"));
  makeManyFiles(join(tree, "many"), 100_000, 0);
  expect((await roundTrip("many:1", tree)).entries).toBeGreaterThan(100_000);
});

scenario("round-trip-sparse", async () => {
  const tree = makeDebianTree(scratch.under("sparse"));
  const fd = openSync(join(tree, "disk"), "w");
  for (const at of [0, 3 * GIBI + 4096, 8 * GIBI - 8 * MIB]) writeSync(fd, noise(8 * MIB, `${at}`), 0, 8 * MIB, at);
  ftruncateSync(fd, 8 * GIBI);
  closeSync(fd);
  expect((await roundTrip("sparse:1", tree)).content).toBeLessThan(25 * MIB);
});

scenario("round-trip-names", async () => {
  const tree = makeDebianTree(scratch.under("names"));
  makeHostileNames(join(tree, "hostile"));
  mkdirSync(join(tree, "rich"));
  makeRichTree(join(tree, "rich"));
  await roundTrip("names:1", tree);
});

scenario("round-trip-debian", async () => {
  const tree = scratch.under("debian");
  mkdirSync(tree);
  const packages = "--include=linux-image-amd64,openssh-server,acl,libcap2-bin";
  const options = ["--quiet", "--variant=important", packages, "bookworm"];
  execFileSync("mmdebstrap", [...options, tree], { timeout: 20 * 60_000 });
  await roundTrip("debian:12", tree);
});
