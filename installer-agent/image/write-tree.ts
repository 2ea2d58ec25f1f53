import { receivedError } from "../../proto/flow/sent-error.ts";
import type { Crew } from "./crew.ts";
import type { Job } from "./jobs.ts";
import { MAKING, type Pieces } from "./pieces.ts";

/** Entries of one job: some milliseconds of work. */
const BATCH = 256;
/** Files that are read whole. */
const KEPT_BATCH = 16;

export interface Writing {
  readonly crew: Crew;
  readonly pieces: Pieces;
  readonly signal: AbortSignal;
  /** Some pieces more are good. */
  readonly onGood: () => void;
}

/** Finds out which pieces of files that are there already are good. */
export async function keepFiles(found: readonly number[], writing: Writing): Promise<void> {
  await perform(found, writing, { batch: KEPT_BATCH, job: (entries) => ({ kind: "keep", entries }) });
}

/** Folders, links, devices, empty files: all that has no content. */
export async function makeEmpty(writing: Writing): Promise<void> {
  const empty = writing.pieces.entriesOf(MAKING.folder, MAKING.empty);
  await perform(empty, writing, { job: (entries) => ({ kind: "make", entries }) });
}

/** What has to wait until all content is there: files in pieces, then second names, then folders. */
export async function finishTree(writing: Writing): Promise<void> {
  const { pieces } = writing;
  await perform(pieces.entriesOf(MAKING.later), writing, { job: (entries) => ({ kind: "finish", entries }) });
  await perform(pieces.entriesOf(MAKING.link), writing, { job: (entries) => ({ kind: "link", entries }) });
  const folders = pieces.entriesOf(MAKING.folder).reverse();
  await perform(folders, writing, { job: (entries) => ({ kind: "folder", entries }) });
}

interface Performing<Item> {
  readonly batch?: number;
  readonly job: (items: readonly Item[]) => Job;
  /** When no more is begun; undefined: all is. */
  readonly until?: number;
}

/** All items in batches, by all threads; what they find good is kept. Ends when all that was begun is done. */
export async function perform<Item>(
  items: readonly Item[],
  { crew, pieces, signal, onGood }: Writing,
  { batch = BATCH, job, until = Number.POSITIVE_INFINITY }: Performing<Item>,
): Promise<void> {
  const running: Promise<void>[] = [];
  let failed = false;
  for (let at = 0; at < items.length && !failed && performance.now() < until; at += batch) {
    await crew.room();
    signal.throwIfAborted();
    const work = crew.run(job(items.slice(at, at + batch))).then((answer) => {
      if (!("good" in answer)) throw receivedError("failed" in answer ? answer.failed : answer.damaged);
      for (const piece of answer.good) pieces.setGood(piece);
      if (answer.good.length > 0) onGood();
    });
    work.catch(() => {
      failed = true; // and thrown below
    });
    running.push(work);
  }
  await Promise.all(running);
}
