import { setTimeout as sleep } from "node:timers/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { describeError } from "../log.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import { Connections } from "./connections.ts";
import { isPassing } from "./est-answer.ts";
import type { FileOrigin } from "./file-origin.ts";
import { type FileRef, type Pace, requestFile, type Span } from "./file-request.ts";

export interface ReadOptions {
  /** What it is, for messages: `the image debian:12`. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

export interface Patience {
  readonly backoff: BackoffLimits;
  /** How long nothing may come before a connection is given up for a new one. */
  readonly idleMs?: number;
  /** How long no byte may come before the file is given up. */
  readonly patienceMs?: number;
  /** What makes one that is not the last be left for the next. */
  readonly slowest?: Pace;
}

/** Where files are, in the order in which it is asked; hpsd is the last, and the one whose word counts. */
export class Origins {
  readonly all: readonly FileOrigin[];
  readonly connections: Connections;
  /** Number of the first that is worth asking: one that could not be reached is not tried for each file again. */
  #first = 0;

  /** With the connections to all of them; not given, none is kept. */
  constructor(all: readonly FileOrigin[], connections = new Connections(0)) {
    this.all = all;
    this.connections = connections;
  }

  get first(): number {
    return this.#first;
  }

  /** It could not be reached, or what it gave was not right. */
  leave(origin: number): void {
    if (origin === this.#first && origin < this.all.length - 1) this.#first += 1;
  }

  /** All of them failed: each is as good as another. */
  startAgain(): void {
    this.#first = 0;
  }
}

export interface ReadSpan extends ReadOptions, Patience {
  readonly origins: Origins;
  /** Number of the origin to begin with; not told, the first that is worth asking. */
  readonly origin?: number;
}

/** Some bytes, valid until the next are asked for, and the number of the origin that gave them. */
export interface Chunk {
  readonly bytes: Buffer;
  readonly origin: number;
}

const IDLE = 20_000;
const PATIENCE = 15 * 60_000;
/** Some requests go on at a time: a mirror as slow as that is none. */
const SLOWEST: Pace = { bytesPerSecond: 64 * 1024, afterMs: 20_000 };

/** A part of a file over as many connections and from as many origins as it takes, each time from where it broke off. Nothing of it is verified. */
export async function* readSpan(file: FileRef, span: Span, options: ReadSpan): AsyncGenerator<Chunk, void> {
  const { origins, signal, log, what, backoff, idleMs = IDLE, patienceMs = PATIENCE, slowest = SLOWEST } = options;
  const waits = new Backoff(backoff);
  const request = { connections: origins.connections, file, to: span.to, idleMs, signal };
  let { from } = span;
  let waitedMs = 0;
  let number = options.origin ?? origins.first;
  while (from < span.to) {
    const origin = originAt(origins, number);
    const isLast = number === origins.all.length - 1;
    const pace = !isLast && { slowest };
    let waitingSince = performance.now();
    try {
      for await (const bytes of requestFile({ ...request, origin, from, ...pace })) {
        if (from + bytes.length > span.to) throw new HpsError("data-loss", `${what} is longer than it should be`);
        from += bytes.length;
        waitedMs = 0;
        waits.reset();
        yield { bytes, origin: number };
        waitingSince = performance.now(); // what the reader does with it is not our waiting
      }
      if (from < span.to) throw new HpsError("unavailable", "the connection ended before the file did");
    } catch (error) {
      signal.throwIfAborted();
      const at = `${what}, after ${roundSize(from - span.from)} of ${roundSize(span.to - span.from)}: ${describeError(error)}`;
      if (!isLast) {
        log(`${at}; going on from ${originAt(origins, number + 1).address}`);
        if (isPassing(error)) origins.leave(number);
        number += 1;
        continue;
      }
      if (!isPassing(error)) throw error;
      const wait = waits.next();
      waitedMs += performance.now() - waitingSince + wait;
      if (waitedMs > patienceMs) throw givenUp(at, patienceMs);
      log(`${at}; trying again`);
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
      origins.startAgain();
      number = options.origin ?? origins.first;
    }
  }
}

function originAt(origins: Origins, number: number): FileOrigin {
  const origin = origins.all[number];
  if (origin === undefined) throw new Error("no origin of that number");
  return origin;
}

function givenUp(at: string, patienceMs: number): HpsError {
  return new HpsError("unavailable", `${at}; no byte came for ${Math.round(patienceMs / 60_000)} minutes`, {
    hint: "see that hpsd runs and this machine reaches it, then hpsctl installation retry HOST",
  });
}
