import { receivedError } from "../../proto/flow/sent-error.ts";
import { shortDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import type { Crew } from "./crew.ts";
import { type Fetched, partsOfRun } from "./cut-run.ts";
import { fetchRuns } from "./fetch-runs.ts";
import type { IndexedFile } from "./image-source.ts";
import type { Pieces } from "./pieces.ts";
import type { PlannedFrame, Run } from "./plan-runs.ts";

export interface FetchFrames {
  readonly packs: readonly IndexedFile[];
  readonly spans: SpanFiles;
  readonly crew: Crew;
  readonly pieces: Pieces;
  readonly read: ReadOptions;
  /** Called when a frame's content is where it should be. */
  readonly onFrame: () => void;
}

/** Fetches frames of packs and has what is lacking of their content written. */
export async function fetchFrames(runs: readonly Run[], fetching: FetchFrames): Promise<void> {
  await fetchRuns(runs, {
    ...fetching,
    fileOf: (run) => packOf(run, fetching),
    nameOf: (run) => `pack ${shortDigest(packOf(run, fetching).digest)} of ${fetching.read.what}`,
    write: (fetched, run, read) => writeFrame(fetched, run, { ...fetching, read }),
  });
}

/** A frame that is not what it should be is asked of each further origin before it is an error. */
async function writeFrame(fetched: Fetched<PlannedFrame>, run: Run, fetching: FetchFrames): Promise<void> {
  const { crew, pieces, spans, read } = fetching;
  let { bytes, origin } = fetched;
  const { part: frame } = fetched;
  for (;;) {
    const job = { kind: "frame" as const, ...contentOf(frame), bytes, ...placesOf(frame, pieces) };
    const answer = await crew.run(job, [bytes.buffer]);
    if ("failed" in answer) throw receivedError(answer.failed);
    if ("good" in answer) {
      for (const piece of answer.good) pieces.setGood(piece);
      fetching.onFrame();
      return;
    }
    const next = spans.distrust(origin);
    if (next === undefined) throw damaged(read.what, receivedError(answer.damaged));
    read.log(`${read.what}: ${answer.damaged.message}; asking another server`);
    ({ bytes, origin } = await again(frame, run, { fetching, origin: next }));
  }
}

async function again(
  frame: PlannedFrame,
  run: Run,
  { fetching, origin }: { readonly fetching: FetchFrames; readonly origin: number },
): Promise<Fetched<PlannedFrame>> {
  const alone = { from: frame.offset, to: frame.offset + frame.compressedBytes, parts: [frame] };
  const chunks = fetching.spans.read(packOf(run, fetching), alone, { ...fetching.read, origin });
  for await (const fetched of partsOfRun(alone, chunks, fetching.crew.rooms)) return fetched;
  throw new HpsError("internal", "a frame ended before it came");
}

function contentOf({ offset, rawBytes, digests, lengths }: PlannedFrame) {
  return { offset, rawBytes, digests, lengths };
}

/** Where the objects of a frame are lacking. */
function placesOf({ objects }: PlannedFrame, pieces: Pieces) {
  const ends = new Uint32Array(objects.length);
  const lacking: number[] = [];
  for (const [index, object] of objects.entries()) {
    if (object !== -1) for (const piece of pieces.lacking(object)) lacking.push(piece);
    ends[index] = lacking.length;
  }
  return { pieces: Uint32Array.from(lacking), ends };
}

function packOf({ file: number }: Run, { packs }: FetchFrames): IndexedFile {
  const file = packs[number];
  if (file === undefined) throw new RangeError(`no pack ${number}`);
  return file;
}

function damaged(what: string, cause: HpsError): HpsError {
  return new HpsError("data-loss", `${what}: ${cause.message}`, {
    hint: "see hpsctl image verify; import the image again, then hpsctl installation retry HOST",
    details: cause.details,
    cause,
  });
}
