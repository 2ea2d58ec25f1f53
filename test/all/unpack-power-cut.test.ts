/** A machine whose power is cut while it unpacks an image: what each of its disk's flushes left is gone on with. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { imageOfTree } from "../../installer-agent/testing/image-of-tree.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { makeManyFiles, RESUME_COMMAND, writeLibrary } from "../faults/image-trees.ts";
import { loopReleased } from "../lab/loop-devices.ts";
import { must } from "../lab/run.ts";
import { type UnpackedInGuest, unpackInGuest } from "../lab/unpack-guest.ts";
import { DiskReplay } from "../lab/vm/flushed-disk.ts";
import { Dice } from "../runner/dice.ts";
import { scenario } from "../runner/scenario.ts";

const FILES = 3000;
const BIG = 60_000_000;
/** Looked at, of all flushes, besides the first and the last. */
const CUTS = 30;
/** How many of them are to be of each kind that makes this a trial. */
const LEAST = 5;
const LIMIT_MS = 10 * 60_000;
const COMPARER = join(import.meta.dirname, "../faults/compare-here.ts");

/** What one cut has left, and what was made of it. */
interface Resumed {
  /** What it differed in before, and then; the first 20. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** The image whose marker was on the disk. */
  readonly marker: string;
  /** Bytes that were right already, of all. */
  readonly kept: number;
  readonly content: number;
}

interface Trees {
  readonly source: string;
  readonly library: string;
  readonly target: string;
}

/** Mounts the disk, compares it, goes on, and compares again; then its file system is looked through. */
async function resumed(disk: string, { source, library, target }: Trees): Promise<Resumed> {
  const compare = `'${process.execPath}' '${COMPARER}' '${source}' '${target}'`;
  const script = `
    mount -t ext4 -o loop '${disk}' '${target}'
    ${compare}
    ${RESUME_COMMAND} '${library}' '${target}'
    echo 3 >/proc/sys/vm/drop_caches
    ${compare}`;
  const output = await must(["unshare", "--mount", "bash", "-ec", script], { timeoutMs: LIMIT_MS });
  await loopReleased(disk);
  await must(["e2fsck", "-fn", disk], { timeoutMs: LIMIT_MS });
  const [before = "", done = "", after = ""] = output.trim().split("\n");
  return { before: JSON.parse(before), after: JSON.parse(after), ...JSON.parse(done) };
}

/** Of the flushes up to the last that counted, the first, the last, and any others, in their order. */
function chooseCuts(replay: DiskReplay, { done }: UnpackedInGuest, dice: Dice) {
  const flushes = replay.flushes.filter(({ entries }) => entries <= done);
  const chosen = new Set([...flushes.slice(0, 1), ...dice.some(flushes, CUTS), ...flushes.slice(-1)]);
  return flushes.filter((flush) => chosen.has(flush));
}

scenario("unpack-power", async () => {
  using scratch = makeScratch();
  const trees = { source: scratch.under("source"), library: scratch.under("library"), target: scratch.under("target") };
  makeManyFiles(trees.source, FILES, BIG);
  for (const folder of [join(trees.source, "rich"), trees.target]) mkdirSync(folder);
  makeRichTree(join(trees.source, "rich"));
  const image = await imageOfTree(trees.source, { framesAPack: 8 });
  writeLibrary(image, trees.library);
  mkdirSync(scratch.under("guest"));
  const guest = await unpackInGuest(scratch.under("guest"), trees.library);
  const replay = await DiskReplay.open(guest.disk, guest.log);
  const seed = Date.now() % 2 ** 31;
  const dice = new Dice(seed);
  const cuts = chooseCuts(replay, guest, dice);
  console.info(`${cuts.length} of ${replay.flushes.length} flushes; seed ${seed}`);
  const all: Resumed[] = [];
  for (const [at, flush] of cuts.entries()) {
    const loses = at + 1 === cuts.length || dice.roll(2) === 0;
    const disk = `${guest.disk}.cut`;
    await replay.cutAfter(flush, disk, () => !loses && dice.roll(2) === 0);
    const found = await resumed(disk, trees);
    const where = `after entry ${flush.entries}${loses ? "" : " and some of the next"}`;
    console.info(
      `${where}: ${found.kept} of ${found.content} bytes were right${found.marker === "" ? ", no marker" : ""}; ${found.before[0] ?? "whole"}`,
    );
    expect(found.after, where).toEqual([]);
    all.push(found);
  }
  // Once it was begun, what bears no marker is the image already.
  const begun = all.findIndex(({ marker }) => marker === image.files.manifest.digest);
  expect(all.slice(begun).filter(({ marker, before }) => marker === "" && before.length > 0)).toEqual([]);
  expect(all.at(-1)).toMatchObject({ before: [], marker: "" });
  expect(all.filter(({ marker }) => marker === image.files.manifest.digest).length).toBeGreaterThan(LEAST);
  expect(all.filter(({ kept, content }) => kept > 0 && kept < content).length).toBeGreaterThan(LEAST);
  expect(all.filter(({ before }) => before.length > 0).length).toBeGreaterThan(LEAST);
});
