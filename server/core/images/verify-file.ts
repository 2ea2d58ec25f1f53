/** What is wrong with a file of a library. Reads from the disk at once: for threads that do nothing else meanwhile. */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { checkHead, parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import { DELTA, parseDeltaIndex } from "../../../proto/image/delta.ts";
import { manifestBytes, openManifest } from "../../../proto/image/manifest.ts";
import { openFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StoredFile } from "../files/incoming-file.ts";
import type { LibraryPart } from "./library-files.ts";
import { readAt, readPackIndex } from "./pack-frames.ts";

export interface FileVerdict {
  /** `lost`: there is no such file; `unread`: the disk did not give it, which may pass. */
  readonly state: "whole" | "damaged" | "lost" | "unread";
  /** What is wrong, the most telling first; at most `MOST_PROBLEMS`. */
  readonly problems: readonly string[];
}

/** Of one file that are told; a disk that fails makes thousands. */
const MOST_PROBLEMS = 20;
const READ_BYTES = 1 << 20;

export function verifyFile(part: LibraryPart, file: StoredFile): FileVerdict {
  try {
    const problems = [...problemsOf(part, file)];
    return { state: problems.length === 0 ? "whole" : "damaged", problems };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return { state: "lost", problems: ["the file is gone"] };
    return {
      state: "unread",
      problems: [`the disk did not give it: ${error instanceof Error ? error.message : error}`],
    };
  }
}

function* problemsOf(part: LibraryPart, file: StoredFile): Generator<string> {
  const opened = openSync(file.path, "r");
  try {
    const { size } = fstatSync(opened);
    if (size !== file.sizeBytes) yield `it has ${size} bytes, not ${file.sizeBytes}`;
    if (part === "manifests") return yield* wrongManifest(file);
    if (part === "packs") yield* wrongFrames(opened, file);
    if (part === "deltas") yield* wrongDelta(opened, size);
    const found = digestOf(opened);
    if (found !== file.digest) yield `its SHA-256 is ${found}`;
  } finally {
    closeSync(opened);
  }
}

/** What is named is the manifest itself; its file holds it compressed. */
function* wrongManifest({ path, digest }: StoredFile): Generator<string> {
  const stored = readFileSync(path);
  yield* refusal(() => {
    for (const _ of openManifest(manifestBytes(stored, digest)).entries);
  });
}

function* wrongFrames(opened: number, file: StoredFile): Generator<string> {
  let told = 0;
  const whole = refusal(() => readPackIndex(file));
  if (whole.length > 0) return yield* whole;
  for (const frame of readPackIndex(file).frames) {
    const bytes = readAt(opened, frame.offset, frame.compressedBytes);
    for (const problem of refusal(() => openFrame(bytes, frame))) {
      told += 1;
      if (told < MOST_PROBLEMS) yield problem;
    }
  }
  if (told >= MOST_PROBLEMS) yield `${told - MOST_PROBLEMS + 1} more of its frames are damaged`;
}

function* wrongDelta(opened: number, size: number): Generator<string> {
  yield* refusal(() => {
    checkHead(DELTA, readAt(opened, 0, Math.min(size, 16)));
    const trailer = parseTrailer(DELTA, readAt(opened, Math.max(size - TRAILER_BYTES, 0), TRAILER_BYTES), size);
    parseDeltaIndex(readAt(opened, trailer.indexOffset, trailer.indexBytes), trailer);
  });
}

/** What `read` says of what it reads; other errors pass. */
function refusal(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return [error.message + cause];
  }
}

function digestOf(opened: number): string {
  const digest = createHash("sha256");
  const buffer = Buffer.alloc(READ_BYTES);
  for (let at = 0; ; ) {
    const count = readSync(opened, buffer, 0, buffer.length, at);
    if (count === 0) return digest.digest("hex");
    digest.update(buffer.subarray(0, count));
    at += count;
  }
}
