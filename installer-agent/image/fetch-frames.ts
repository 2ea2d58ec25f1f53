import { shortDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import type { Crew } from "./crew.ts";
import { type FetchedFrame, framesOf } from "./frames.ts";
import type { IndexedFile } from "./image-source.ts";
import type { FilePart } from "./jobs.ts";
import { partOf } from "./parts.ts";
import type { Pieces } from "./pieces.ts";
import type { PlannedFrame, Run } from "./plan-runs.ts";
import { receivedError } from "./sent-error.ts";

/** Ranges read at a time: more than one, so that short ones do not cost a round trip each. */
const AT_ONCE = 3;

export interface Fetching {
  readonly packs: readonly IndexedFile[];
  readonly spans: SpanFiles;
  readonly crew: Crew;
  readonly pieces: Pieces;
  readonly read: ReadOptions;
  /** Called when a frame's content is where it should be. */
  readonly onFrame: (frame: PlannedFrame) => void;
}

/** Fetches runs and has each frame of them written. Reads no further ahead than the threads have room for. */
export async function fetchRuns(runs: readonly Run[], fetching: Fetching): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([fetching.read.signal, over.signal]);
  const order = { ...fetching, read: { ...fetching.read, signal } };
  const queue = runs.values();
  const readers = Array.from({ length: AT_ONCE }, async () => {
    for (const run of queue) await fetchRun(run, order);
  });
  try {
    await Promise.all(readers);
  } catch (error) {
    over.abort();
    await Promise.allSettled(readers);
    throw error;
  }
}

async function fetchRun(run: Run, fetching: Fetching): Promise<void> {
  const { crew, spans } = fetching;
  const pack = packOf(run, fetching);
  const written: Promise<void>[] = [];
  try {
    for await (const fetched of framesOf(run, spans.read(pack, run, readOf(run, fetching)))) {
      await crew.room();
      const writing = write(fetched, run, fetching);
      writing.catch(() => undefined); // seen below
      written.push(writing);
    }
  } finally {
    await Promise.all(written);
  }
}

/** A frame that is not what it should be is asked of each further origin before it is an error. */
async function write(fetched: FetchedFrame, run: Run, fetching: Fetching): Promise<void> {
  const { crew, pieces, spans, read } = fetching;
  let { bytes, origin } = fetched;
  const { frame } = fetched;
  for (;;) {
    const answer = await crew.run({ kind: "frame", ...contentOf(frame), bytes, parts: partsOf(frame, pieces) }, [
      bytes.buffer,
    ]);
    if ("failed" in answer) throw receivedError(answer.failed);
    if ("good" in answer) {
      for (const piece of answer.good) pieces.setGood(piece);
      fetching.onFrame(frame);
      return;
    }
    const next = spans.distrust(origin);
    const what = readOf(run, fetching).what;
    if (next === undefined) throw damaged(what, receivedError(answer.damaged));
    read.log(`${what}: ${answer.damaged.message}; asking another server`);
    ({ bytes, origin } = await again(frame, run, fetching, next));
  }
}

async function again(frame: PlannedFrame, run: Run, fetching: Fetching, origin: number): Promise<FetchedFrame> {
  const alone: Run = {
    pack: run.pack,
    from: frame.offset,
    to: frame.offset + frame.compressedBytes,
    frames: [frame],
  };
  const chunks = fetching.spans.read(packOf(run, fetching), alone, { ...readOf(run, fetching), origin });
  for await (const fetched of framesOf(alone, chunks)) return fetched;
  throw new HpsError("internal", "a frame ended before it came");
}

function contentOf({ rawBytes, digests, lengths }: PlannedFrame) {
  return { rawBytes, digests, lengths };
}

function partsOf({ objects }: PlannedFrame, pieces: Pieces): FilePart[][] {
  return Array.from(objects, (object) =>
    object === -1 ? [] : pieces.lacking(object).map((piece) => partOf(pieces, piece)),
  );
}

function packOf({ pack }: Run, { packs }: Fetching): IndexedFile {
  const file = packs[pack];
  if (file === undefined) throw new RangeError(`no pack ${pack}`);
  return file;
}

function readOf(run: Run, fetching: Fetching): ReadOptions {
  return { ...fetching.read, what: `pack ${shortDigest(packOf(run, fetching).digest)} of ${fetching.read.what}` };
}

function damaged(what: string, cause: HpsError): HpsError {
  return new HpsError("data-loss", `${what}: ${cause.message}`, {
    hint: "see hpsctl image verify; import the image again, then hpsctl installation retry HOST",
    details: cause.details,
    cause,
  });
}
