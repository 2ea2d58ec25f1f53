/** A thread that opens frames and writes files: all that waits for the disk or the processor when an image is unpacked. */
import { closeSync, constants, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { sentError } from "../../proto/flow/sent-error.ts";
import { openDeltaObject } from "../../proto/image/delta-piece.ts";
import { openFrame } from "../../proto/image/pack-frame.ts";
import type { Segment } from "../../proto/tree/native/files.ts";
import type { Answer, DeltaJob, FilePart, FrameJob, Job, KeptFile, Message, ReuseJob } from "./jobs.ts";
import { isObject, OldContent } from "./old-content.ts";
import { released } from "./released.ts";
import { TreeWriter } from "./tree-writer.ts";

const DIGEST = 32;
const DEFECT = "unpacking ended by a defect";

const root = openSync(String(workerData.root), constants.O_RDONLY | constants.O_DIRECTORY);
const writer = new TreeWriter(root);
const old = new OldContent();

parentPort?.on("message", (job: Job | "end") => {
  if (job === "end") return end();
  const answer = answerTo(job);
  const room = "bytes" in job && job.bytes.buffer instanceof ArrayBuffer ? job.bytes.buffer : undefined;
  const message: Message = { answer, room };
  parentPort?.postMessage(message, room === undefined ? [] : [room]);
});

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
  switch (job.kind) {
    case "make":
      for (const entry of job.entries) writer.make(entry);
      break;
    case "finish":
      for (const file of job.files) writer.finish(file);
      break;
    case "link":
      for (const { path, target } of job.links) writer.link(path, target);
      break;
    case "folder":
      for (const folder of job.folders) writer.finishFolder(folder);
      break;
    case "keep":
      return job.files.flatMap(keepFile);
    default:
      return reuse(job);
  }
  return [];
}

function keepFile({ file, atOnce, pieces }: KeptFile): number[] {
  let good: number[] = [];
  writer.keep(file, (fd) => {
    good = pieces.filter(({ digest, extents }) => holds(fd, extents, digest)).map(({ piece }) => piece);
    if (good.length === 0) return "nothing";
    return atOnce ? "whole" : "parts";
  });
  return good;
}

function holds(fd: number, extents: readonly Segment[], digest: Uint8Array): boolean {
  const bytes = old.read(fd, extents);
  return bytes !== undefined && isObject(bytes, digest);
}

function reuse(job: ReuseJob): number[] {
  const good: number[] = [];
  old.look(job, ({ parts }, bytes) => good.push(...writeParts(parts, bytes)));
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
    return { good: objects.flatMap((bytes, index) => writeParts(job.parts[index] ?? [], bytes)) };
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
  return { good: writeParts(job.parts, bytes) };
}

function frameOf({ offset, bytes, rawBytes, digests, lengths }: FrameJob) {
  const all = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength);
  const objects = lengths.map((length, index) => ({
    digest: all.subarray(index * DIGEST, (index + 1) * DIGEST),
    length,
  }));
  return { offset, compressedBytes: bytes.length, rawBytes, objects };
}

function writeParts(parts: readonly FilePart[], bytes: Uint8Array): number[] {
  for (const part of parts) writer.write(part, bytes);
  return parts.map(({ piece }) => piece);
}
