/** A thread that opens frames and writes files: all that waits for the disk or the processor when an image is unpacked. */
import { closeSync, constants, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { sentError } from "../../proto/flow/sent-error.ts";
import { openDeltaObject } from "../../proto/image/delta-piece.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { openFrame } from "../../proto/image/pack-frame.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import type { Answer, DeltaJob, FrameJob, ImageMessage, Job, Message, ReuseJob } from "./jobs.ts";
import { isObject, OldContent } from "./old-content.ts";
import { partOf } from "./parts.ts";
import { isAtOnce, Places } from "./places.ts";
import { released } from "./released.ts";
import { TreeWriter } from "./tree-writer.ts";

const DIGEST = 32;
const DEFECT = "unpacking ended by a defect";

const root = openSync(String(workerData.root), constants.O_RDONLY | constants.O_DIRECTORY);
const writer = new TreeWriter(root);
const old = new OldContent();

/** Told before the first job. */
let image: Places | undefined;

parentPort?.on("message", (job: Job | ImageMessage | "end") => {
  if (job === "end") return end();
  if (job.kind === "image") {
    image = new Places(job.image);
    return;
  }
  const answer = answerTo(job);
  const room = "bytes" in job && job.bytes.buffer instanceof ArrayBuffer ? job.bytes.buffer : undefined;
  const message: Message = { answer, room };
  parentPort?.postMessage(message, room === undefined ? [] : [room]);
});

function places(): Places {
  if (image === undefined) throw new Error("a job before its image");
  return image;
}

function end(): void {
  writer.close();
  old.close();
  closeSync(root);
  parentPort?.close();
}

function answerTo(job: Job): Answer {
  try {
    if (job.kind === "frame") return writeFrame(job);
    return job.kind === "delta" ? writeDelta(job) : { good: perform(job) };
  } catch (error) {
    return { failed: sentError(error, DEFECT) };
  }
}

function perform(job: Exclude<Job, FrameJob | DeltaJob>): number[] {
  if (job.kind === "reuse") return reuse(job);
  const { entries } = job;
  const each = (work: (entry: ManifestEntry) => void) => {
    for (const number of entries) work(places().entryAt(number));
    return [];
  };
  switch (job.kind) {
    case "make":
      return each((entry) => writer.make(entry));
    case "finish":
      return each((entry) => writer.finish(entry));
    case "link":
      return each(({ path, target }) => writer.link(path, places().entryAt(target).path));
    case "folder":
      return each((entry) => writer.finishFolder(entry));
    default:
      return entries.flatMap(keepFile);
  }
}

function keepFile(number: number): number[] {
  const file = places().entryAt(number);
  const [first] = places().ofEntry(number);
  let good: number[] = [];
  writer.keep(file, (fd) => {
    const isGood = (extents: readonly Segment[], index: number) =>
      holds(fd, extents, places().digestOf(places().objectOf(first + index)));
    good = places()
      .extentsOf(number)
      .flatMap((extents, index) => (isGood(extents, index) ? [first + index] : []));
    if (good.length === 0) return "nothing";
    return isAtOnce(file) ? "whole" : "parts";
  });
  return good;
}

function holds(fd: number, extents: readonly Segment[], digest: Uint8Array): boolean {
  const bytes = old.read(fd, extents);
  return bytes !== undefined && isObject(bytes, digest);
}

function reuse(job: ReuseJob): number[] {
  const good: number[] = [];
  old.look(job, (wanted, bytes) => {
    write(wanted.places, bytes);
    good.push(...wanted.places);
  });
  return good;
}

/** Nothing of a frame is written before every object of it was found to be what it should. */
function writeFrame(job: FrameJob): Answer {
  let objects: readonly Buffer[];
  try {
    objects = openFrame(job.bytes, frameOf(job));
  } catch (error) {
    return { damaged: sentError(error, DEFECT) };
  }
  try {
    for (const [index, bytes] of objects.entries()) {
      write(job.pieces.subarray(job.ends[index - 1] ?? 0, job.ends[index]), bytes);
    }
    return { good: job.pieces };
  } finally {
    for (const bytes of objects.slice(0, 1)) released(bytes); // all are parts of one memory
  }
}

/** The same for an object that is made of old content. */
function writeDelta(job: DeltaJob): Answer {
  let bytes: Buffer;
  try {
    const { offset, digest, length, pieces } = job;
    const windows = pieces.map(({ window }) => (window === undefined ? undefined : old.window(window)));
    const object = { digest: Buffer.from(digest), length, pieces, offset, compressedBytes: job.bytes.length };
    bytes = openDeltaObject(object, job.bytes, windows);
  } catch (error) {
    return { damaged: sentError(error, DEFECT) };
  }
  write(job.places, bytes);
  return { good: job.places };
}

function frameOf({ offset, bytes, rawBytes, digests, lengths }: FrameJob) {
  const all = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength);
  const objects = Array.from(lengths, (length, index) => ({
    digest: all.subarray(index * DIGEST, (index + 1) * DIGEST),
    length,
  }));
  return { offset, compressedBytes: bytes.length, rawBytes, objects };
}

function write(pieces: Iterable<number>, bytes: Uint8Array): void {
  for (const piece of pieces) writer.write(partOf(places(), piece), bytes);
}
