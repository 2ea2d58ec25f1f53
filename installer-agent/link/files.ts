import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { describeError } from "../log.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import { isPassing } from "./est-answer.ts";
import { type FileRef, requestFile } from "./file-request.ts";
import type { Identity } from "./identity.ts";

interface ReadOptions {
  /** What it is, for messages: `the image debian:12`. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/** The files that hpsd serves to this agent. */
export interface Files {
  /**
   * The bytes of a file, in order. An hpsd or a network that is away is waited for, and the rest fetched from where it
   * broke off. Nothing may be trusted before the end: only there are length and digest known to be right, or it throws
   * `data-loss`.
   */
  read(file: FileRef, options: ReadOptions): AsyncIterable<Buffer>;
}

export interface FilesOptions {
  /** As it is when a request is made: renewal changes it. */
  readonly identity: Pick<Identity, "contact" | "credentials">;
  readonly backoff: BackoffLimits;
  /** How long nothing may come before a connection is given up for a new one. */
  readonly idleMs?: number;
  /** How long no byte may come before the file is given up. */
  readonly patienceMs?: number;
}

const IDLE = 20_000;
const PATIENCE = 15 * 60_000;

/** Files over HTTPS, with the agent's certificate. */
export function filesOf(options: FilesOptions): Files {
  return { read: (file, read) => readFile(file, { ...options, ...read }) };
}

async function* readFile(file: FileRef, options: FilesOptions & ReadOptions): AsyncGenerator<Buffer, void> {
  const { what } = options;
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of readOn(file, options)) {
    length += chunk.length;
    if (length > file.sizeBytes) throw altered(`${what} is longer than the ${file.sizeBytes} bytes it should have`);
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") !== file.digest) throw altered(`${what} came with other content than its digest says`);
}

/** The same over as many connections as it takes. */
async function* readOn(file: FileRef, options: FilesOptions & ReadOptions): AsyncGenerator<Buffer, void> {
  const { identity, signal, log, what, backoff, idleMs = IDLE, patienceMs = PATIENCE } = options;
  const waits = new Backoff(backoff);
  let from = 0;
  let waitedMs = 0;
  while (from < file.sizeBytes) {
    const began = performance.now();
    let waitingSince = began;
    try {
      for await (const chunk of requestFile({ identity, file, from, idleMs, signal })) {
        from += chunk.length;
        waitedMs = 0;
        waits.reset();
        yield chunk;
        waitingSince = performance.now(); // what the reader does with it is not our waiting
      }
      if (from < file.sizeBytes) throw new HpsError("unavailable", "the connection ended before the file did");
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      const wait = waits.next();
      waitedMs += performance.now() - waitingSince + wait;
      const at = `${what}, after ${roundSize(from)} of ${roundSize(file.sizeBytes)}: ${describeError(error)}`;
      if (waitedMs > patienceMs) throw givenUp(at, patienceMs);
      log(`${at}; trying again`);
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    }
  }
}

function altered(message: string): HpsError {
  return new HpsError("data-loss", message, {
    hint: "what is on the server is damaged, or was changed on its way: import it again, then hpsctl installation retry HOST",
  });
}

function givenUp(at: string, patienceMs: number): HpsError {
  return new HpsError("unavailable", `${at}; no byte came for ${Math.round(patienceMs / 60_000)} minutes`, {
    hint: "see that hpsd runs and this machine reaches it, then hpsctl installation retry HOST",
  });
}
