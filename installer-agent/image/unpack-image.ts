import { closeSync, constants, openSync, statfsSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { PACK, parsePackIndex } from "../../proto/image/pack.ts";
import { bytesOf, latin1 } from "../../proto/tree/byte-string.ts";
import { throughProc } from "../../proto/tree/unpack/metadata.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import { Crew } from "./crew.ts";
import { fetchDeltas } from "./fetch-deltas.ts";
import { fetchFrames } from "./fetch-frames.ts";
import { fetchIndex, fetchManifest } from "./fetch-index.ts";
import type { ImageFiles, IndexedFile } from "./image-source.ts";
import { removeMarker } from "./marker.ts";
import { findOldFiles, type OldRoot } from "./old-files.ts";
import { Pieces } from "./pieces.ts";
import { type FoundFile, lackingSizes, planReuse } from "./plan-reuse.ts";
import { RunPlanner } from "./plan-runs.ts";
import { spaceNeeded } from "./space.ts";
import { type Swept, sweep } from "./sweep.ts";
import { finishTree, keepFiles, makeEmpty, perform } from "./write-tree.ts";

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
  /** Over the network. */
  readonly fetched: number;
}

/**
 * Makes `root` the tree of an image, whatever part of it is there already. No byte is written before its digest was found
 * right; nothing outside of `root` is touched, whatever manifest and packs say.
 */
export async function unpackImage(options: UnpackImage): Promise<Unpacked> {
  const { root, files, spans, signal } = options;
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const crew = new Crew(root); // they start while the manifest comes
  try {
    const pieces = new Pieces(await fetchManifest(files, spans, options));
    const writing = { crew, pieces, signal };
    const tell = told(pieces, options.progress);
    const swept: Swept = { found: [], mounts: [latin1("")] };
    await inTurns(sweep(fd, pieces, swept), signal);
    await keepFiles(swept.found, writing);
    const kept = tell();
    checkSpace(fd, pieces, swept, options.what);
    await makeEmpty(writing);
    await perform(await reuseJobs(pieces, options), writing, { batch: 1, job: ([job]) => job ?? NOTHING });
    const reused = tell() - kept;
    const fetched = await fetchLacking(pieces, crew, tell, options);
    await finishTree(writing);
    removeMarker(fd);
    return { entries: pieces.manifest.entries.length, content: tell(), kept, reused, fetched };
  } finally {
    await crew.end();
    closeSync(fd);
  }
}

const NOTHING = { kind: "make", entries: [] } as const;

/** Gives the good bytes, and tells them. */
function told(pieces: Pieces, progress: UnpackImage["progress"]): () => number {
  return () => {
    const { good, all } = pieces.bytes;
    progress(good, all);
    return good;
  };
}

const TURNS = 256;

/** Leaves other work of this thread its time. */
async function inTurns(work: Generator<void>, signal: AbortSignal): Promise<void> {
  let turn = 0;
  for (const _ of work) {
    turn += 1;
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

async function reuseJobs(pieces: Pieces, { olds, signal }: UnpackImage) {
  const found: FoundFile[] = [];
  const sizes = lackingSizes(pieces);
  for (const old of olds) await inTurns(findOldFiles(old, sizes, found), signal);
  return planReuse(pieces, found);
}

/** Fetches what is lacking yet, and says how many bytes that took. */
async function fetchLacking(
  pieces: Pieces,
  crew: Crew,
  tell: () => number,
  { files, spans, olds, what, signal, log }: UnpackImage,
): Promise<number> {
  const read = { what, signal, log };
  let planner: Promise<RunPlanner> | undefined;
  const plan = () => {
    planner ??= planned(pieces, files.packs, { spans, read });
    return planner;
  };
  const common = { files, olds, spans, crew, pieces, read };
  const made = await fetchDeltas({ ...common, frames: async () => (await plan()).frames(), onObject: tell });
  const runs = (await plan()).runs((object) => pieces.lacking(object).length > 0);
  await fetchFrames(runs, { ...common, packs: files.packs, onFrame: tell });
  return runs.reduce((sum, { from, to }) => sum + to - from, made);
}

async function planned(
  pieces: Pieces,
  packs: readonly IndexedFile[],
  { spans, read }: { readonly spans: SpanFiles; readonly read: ReadOptions },
): Promise<RunPlanner> {
  const planner = new RunPlanner(pieces.manifest, pieces.lackingObjects());
  for (const pack of packs) {
    if (planner.isComplete) break;
    planner.add(await fetchIndex(pack, { kind: PACK, parse: parsePackIndex }, { spans, read }));
  }
  return planner;
}
