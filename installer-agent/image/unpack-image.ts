import { closeSync, constants, openSync, statfsSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { bytesOf, latin1 } from "../../proto/tree/byte-string.ts";
import { throughProc } from "../../proto/tree/unpack/metadata.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import { Crew } from "./crew.ts";
import { fetchDeltas } from "./fetch-deltas.ts";
import { fetchFrames } from "./fetch-frames.ts";
import { fetchManifest } from "./fetch-index.ts";
import type { ImageFiles } from "./image-source.ts";
import { Indexes } from "./indexes.ts";
import type { Job } from "./jobs.ts";
import { findOldFiles, type OldRoot } from "./old-files.ts";
import type { Pieces } from "./pieces.ts";
import { type FoundFile, lackingSizes, planReuse } from "./plan-reuse.ts";
import { RunPlanner } from "./plan-runs.ts";
import { spaceNeeded } from "./space.ts";
import { type Swept, sweep } from "./sweep.ts";
import { together } from "./together.ts";
import { WriteBack } from "./write-back.ts";
import { finishTree, keepFiles, makeEmpty, perform, type Writing } from "./write-tree.ts";

export interface UnpackImage extends ReadOptions {
  readonly files: ImageFiles;
  readonly spans: SpanFiles;
  /** The folder that becomes the image; what is not of it goes, but for what is mounted below. */
  readonly root: string;
  readonly olds: readonly OldRoot[];
  /** Bytes of content that are where they should be, of all. */
  readonly progress: (done: number, total: number) => void;
}

/** Where the content came from, in bytes. */
export interface Unpacked {
  readonly entries: number;
  readonly content: number;
  /** Was there already. */
  readonly kept: number;
  /** Copied from older systems. */
  readonly reused: number;
  /** Made by a delta, of older systems and of what came. */
  readonly made: number;
  /** Over the network. */
  readonly fetched: number;
}

/**
 * Makes `root` the tree of an image, whatever part of it is there already. No byte is written before its digest was found
 * right; nothing outside of `root` is touched, whatever manifest and packs say.
 */
export async function unpackImage(options: UnpackImage): Promise<Unpacked> {
  const { root, files, spans, signal, what, log } = options;
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const indexes = new Indexes(files.packs, spans, { what, signal, log });
  const crew = new Crew(root); // they start while the manifest comes
  const disk = new WriteBack(fd);
  try {
    const pieces = await fetchManifest(files, spans, options);
    crew.tell(pieces.shared);
    const tell = told(pieces, disk, options.progress);
    const writing = { crew, pieces, signal, onGood: tell };
    const swept: Swept = { found: [], mounts: [latin1("")] };
    await inTurns(sweep(fd, pieces, swept), signal);
    await keepFiles(swept.found, writing);
    const kept = tell();
    checkSpace(fd, pieces, swept, what);
    const filled = await fill(writing, { ...options, indexes, tell });
    await finishTree(writing);
    disk.check();
    return { entries: pieces.manifest.entryCount, content: tell(), kept, ...filled };
  } finally {
    await Promise.all([indexes.end(), crew.end(), disk.end()]);
    closeSync(fd);
  }
}

type Filled = Pick<Unpacked, "reused" | "made" | "fetched">;

/** What has no content is made while the network is waited for. */
async function fill(writing: Writing, filling: Filling): Promise<Filled> {
  let filled: Filled = { reused: 0, made: 0, fetched: 0 };
  await together(writing.signal, [
    (signal) => makeEmpty({ ...writing, signal }),
    async (signal) => {
      const own = { ...writing, signal };
      const { reused, isSlow } = await reuse(own, { ...filling, signal });
      const olds = isSlow ? [] : filling.olds;
      filled = { reused, ...(await fetchLacking(own, { ...filling, signal, olds })) };
    },
  ]);
  return filled;
}

interface Filling extends UnpackImage {
  readonly indexes: Indexes;
  readonly tell: () => number;
}

/** How long older systems are looked through: on a disk that fails each block can take half a minute. */
const OLD_MS = 10 * 60_000;

async function reuse(writing: Writing, filling: Filling) {
  const { tell, log } = filling;
  const before = tell();
  const until = performance.now() + OLD_MS;
  const jobs = await reuseJobs(writing.pieces, filling, until);
  await perform(jobs, writing, { batch: 1, job: ([job]) => job ?? NOTHING, until });
  const isSlow = performance.now() > until;
  if (isSlow) log("the older system is read too slowly: the rest is fetched");
  return { reused: tell() - before, isSlow };
}

const NOTHING: Job = { kind: "make", entries: [] };

/** Gives the good bytes, and tells them. */
function told(pieces: Pieces, disk: WriteBack, progress: UnpackImage["progress"]): () => number {
  return () => {
    const { good, all } = pieces.bytes;
    disk.written(good);
    progress(good, all);
    return good;
  };
}

const TURNS = 256;

/** Leaves other work of this thread its time. */
async function inTurns(work: Generator<void>, signal: AbortSignal, until = Number.POSITIVE_INFINITY): Promise<void> {
  let turn = 0;
  for (const _ of work) {
    turn += 1;
    if (performance.now() > until) return;
    if (turn % TURNS !== 0) continue;
    await setImmediate();
    signal.throwIfAborted();
  }
}

function checkSpace(root: number, pieces: Pieces, { mounts }: Swept, what: string): void {
  for (const { mount, bytes, inodes } of spaceNeeded(pieces, mounts)) {
    const { bavail, bsize, ffree } = statfsSync(bytesOf(throughProc(root, mount)));
    if (bavail * bsize >= bytes && ffree >= inodes) continue;
    const has = `${roundSize(bavail * bsize)} and ${ffree} files`;
    throw new HpsError(
      "precondition",
      `${what} does not fit into /${mount}: ${roundSize(bytes)} and ${inodes} files, there is room for ${has}`,
      { hint: "cancel, and install with a larger --root-size" },
    );
  }
}

async function reuseJobs(pieces: Pieces, { olds, signal }: UnpackImage, until: number) {
  if (olds.length === 0) return [];
  const found: FoundFile[] = [];
  const sizes = lackingSizes(pieces);
  for (const old of olds) await inTurns(findOldFiles(old, sizes, found), signal, until);
  return planReuse(pieces, found);
}

/** Fetches what is lacking yet, and says how many bytes that took, and how many a delta made. */
async function fetchLacking(
  { pieces, crew }: Writing,
  { indexes, tell, files, spans, olds, what, signal, log }: Filling,
): Promise<Pick<Unpacked, "fetched" | "made">> {
  const read = { what, signal, log };
  let planner: Promise<RunPlanner> | undefined;
  const plan = () => {
    planner ??= planned(pieces, indexes);
    return planner;
  };
  const common = { files, olds, spans, crew, pieces, read };
  const before = tell();
  const ofDeltas = await fetchDeltas({ ...common, frames: async () => (await plan()).frames(), onObject: tell });
  const made = tell() - before;
  const runs = (await plan()).runs((object) => pieces.isLacking(object));
  await fetchFrames(runs, { ...common, packs: files.packs, onFrame: tell });
  return { made, fetched: runs.reduce((sum, { from, to }) => sum + to - from, ofDeltas) };
}

async function planned(pieces: Pieces, indexes: Indexes): Promise<RunPlanner> {
  const planner = new RunPlanner(pieces.objects, pieces.lackingObjects());
  for await (const index of indexes.inOrder()) {
    planner.add(index);
    if (planner.isComplete) break;
  }
  return planner;
}
