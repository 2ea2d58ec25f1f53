/** Images of the sizes that matter, onto an ext4 of their own; what becomes of them is compared to the last byte. */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { imageOfTree } from "../../installer-agent/testing/image-of-tree.ts";
import { noise } from "../../installer-agent/testing/unpack-rig.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { makeManyFiles, writeLibrary } from "../faults/image-trees.ts";
import { bundleUnpacker } from "../faults/unpacker-bundle.ts";
import { scenario } from "../runner/scenario.ts";

const GIBI = 2 ** 30;
/** Of the whole process, the budget of docs/benchmarks.md. */
const MOST_MEMORY = 256 * 2 ** 20;
const COMPARER = join(import.meta.dirname, "../faults/compare-here.ts");

let scratch: ReturnType<typeof makeScratch>;
let unpack: string;
beforeAll(async () => {
  scratch = makeScratch();
  unpack = `'${process.execPath}' '${await bundleUnpacker(scratch.under("."))}'`;
});
afterAll(() => scratch[Symbol.dispose]());

/**
 * Unpacks what is in `library` to an ext4 with its /boot on another one, killing it `kills` times on the way; then compares.
 * Gives what the last run said, and the differences.
 */
function ontoExt4(source: string, library: string, kills: number) {
  const target = scratch.under("target");
  mkdirSync(target, { recursive: true });
  const disks = ["root", "boot"].map((name) => scratch.under(`${name}.disk`));
  const [root = "", boot = ""] = disks;
  const script = `
    truncate -s 12G '${root}'; truncate -s 1G '${boot}'
    for disk in '${root}' '${boot}'; do mkfs.ext4 -q -F "$disk"; done
    mount -o loop '${root}' '${target}'; mkdir '${target}/boot'; mount -o loop '${boot}' '${target}/boot'
    for round in $(seq ${kills}); do
      timeout -s KILL "$round" ${unpack} '${library}' '${target}' >/dev/null || true
    done
    ${unpack} '${library}' '${target}'
    echo 3 >/proc/sys/vm/drop_caches
    '${process.execPath}' '${COMPARER}' '${source}' '${target}'
    umount '${target}/boot' '${target}'
    for disk in '${root}' '${boot}'; do e2fsck -fn "$disk" >/dev/null 2>&1; done`;
  const output = execFileSync("unshare", ["--mount", "bash", "-ec", script], {
    encoding: "utf8",
    timeout: 40 * 60_000,
  });
  for (const disk of disks) rmSync(disk);
  const [said = "", compared = ""] = output.trim().split("\n");
  return { ...JSON.parse(said), differences: JSON.parse(compared) };
}

async function roundTrip(source: string, { kills = 0 } = {}) {
  const library = scratch.under("library");
  rmSync(library, { recursive: true, force: true });
  writeLibrary(await imageOfTree(source, { framesAPack: 128 }), library);
  const done = ontoExt4(source, library, kills);
  expect(done.differences).toEqual([]);
  expect(done.memory).toBeLessThan(MOST_MEMORY);
  return done;
}

scenario("image-small-files", async () => {
  const source = scratch.under("many");
  makeManyFiles(source, 100_000, 0);
  mkdirSync(join(source, "boot"));
  expect(await roundTrip(source, { kills: 4 })).toMatchObject({ reused: 0 });
  rmSync(source, { recursive: true });
});

scenario("image-sparse", async () => {
  const source = scratch.under("sparse");
  mkdirSync(join(source, "boot"), { recursive: true });
  const fd = openSync(join(source, "disk"), "w");
  for (const at of [0, 3 * GIBI + 4096, 8 * GIBI - 8 * 2 ** 20])
    writeSync(fd, noise(8 * 2 ** 20, `${at}`), 0, 8 * 2 ** 20, at);
  ftruncateSync(fd, 8 * GIBI);
  closeSync(fd);
  expect(await roundTrip(source)).toMatchObject({ content: 24 * 2 ** 20, kept: 0 });
  rmSync(source, { recursive: true });
});

scenario("image-debian", async () => {
  const source = scratch.under("debian");
  mkdirSync(source);
  const packages = "--include=linux-image-amd64,openssh-server,acl,libcap2-bin";
  const options = ["--quiet", "--variant=important", packages, "bookworm"];
  execFileSync("mmdebstrap", [...options, source], { timeout: 20 * 60_000 });
  await roundTrip(source, { kills: 5 });
  rmSync(source, { recursive: true });
});
