import { receivedError } from "../../proto/flow/sent-error.ts";
import { DELTA, type DeltaIndex, parseDeltaIndex } from "../../proto/image/delta.ts";
import { shortDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import type { Crew } from "./crew.ts";
import type { Fetched } from "./cut-run.ts";
import { fetchIndex } from "./fetch-index.ts";
import { fetchRuns } from "./fetch-runs.ts";
import type { ImageFiles } from "./image-source.ts";
import type { OldRoot } from "./old-files.ts";
import type { Pieces } from "./pieces.ts";
import { type PlannedDelta, usableDeltas, worthwhile } from "./plan-deltas.ts";
import { type PlannedFrame, runsOf } from "./plan-runs.ts";

export interface FetchDeltas {
  readonly files: Pick<ImageFiles, "manifest" | "deltas">;
  readonly olds: readonly OldRoot[];
  readonly spans: SpanFiles;
  readonly crew: Crew;
  readonly pieces: Pieces;
  readonly read: ReadOptions;
  /** What would be fetched without deltas. */
  readonly frames: () => Promise<readonly PlannedFrame[]>;
  readonly onObject: () => void;
}

/**
 * Makes what can be made out of an older system whose image a delta begins with. Nothing has to come of it: what a delta
 * does not give, for whatever reason, is fetched whole later. Gives the bytes that came.
 */
export async function fetchDeltas(fetching: FetchDeltas): Promise<number> {
  const { files, olds, read } = fetching;
  const delta = files.deltas.find(({ base }) => olds.some(({ image }) => image === base));
  if (delta === undefined) return 0;
  const own = olds.filter(({ image }) => image === delta.base);
  const what = `delta ${shortDigest(delta.digest)} of ${read.what}`;
  try {
    const index = await fetchIndex(delta, { kind: DELTA, parse: parseDeltaIndex }, fetching);
    checkImages(index, { base: delta.base, target: files.manifest.digest });
    const planned = worthwhile(usableDeltas(index, fetching.pieces, own), await fetching.frames());
    const runs = runsOf(planned, 0);
    const write = (fetched: Fetched<PlannedDelta>) => writeObject(fetched, what, fetching);
    await fetchRuns(runs, { ...fetching, fileOf: () => delta, nameOf: () => what, write });
    return runs.reduce((sum, { from, to }) => sum + to - from, delta.sizeBytes - delta.indexOffset);
  } catch (error) {
    read.signal.throwIfAborted();
    if (!(error instanceof HpsError) || error instanceof WriteFailure) throw error;
    read.log(`${what} is of no use: ${error.message}`);
    return 0;
  }
}

/** That the target cannot be written is no fault of a delta. */
class WriteFailure extends HpsError {}

function checkImages({ base, target }: DeltaIndex, told: { readonly base: string; readonly target: string }): void {
  if (base.toString("hex") === told.base && target.toString("hex") === told.target) return;
  throw new HpsError("invalid", "it is between other images than hpsd says");
}

async function writeObject(
  { part: delta, bytes }: Fetched<PlannedDelta>,
  what: string,
  { crew, pieces, read, onObject }: FetchDeltas,
): Promise<void> {
  const places = pieces.lacking(delta.number);
  const digest = pieces.digestOf(delta.number);
  const { offset, length, sources } = delta;
  const job = { kind: "delta" as const, offset, bytes, digest, length, pieces: sources, places };
  const answer = await crew.run(job, [bytes.buffer]);
  if ("failed" in answer) throw writeFailure(receivedError(answer.failed));
  if ("damaged" in answer) read.log(`${what}: ${answer.damaged.message}; fetching it whole`);
  else for (const piece of answer.good) pieces.setGood(piece);
  onObject();
}

function writeFailure({ code, message, hint, details, cause }: HpsError): WriteFailure {
  return new WriteFailure(code, message, { hint, details, cause });
}
