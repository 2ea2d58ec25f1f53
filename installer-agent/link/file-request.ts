import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import type { Connections } from "./connections.ts";
import { unreachable } from "./est-answer.ts";
import { Exchange } from "./exchange.ts";
import type { FileOrigin } from "./file-origin.ts";

/** A file that hpsd serves by its digest. */
export interface FileRef {
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A part of a file. */
export interface Span {
  /** Of the first byte wanted. */
  readonly from: number;
  /** Of the first byte that is not. */
  readonly to: number;
}

export interface FileRequest extends Span {
  readonly origin: FileOrigin;
  /** To take a connection from, and to leave it to. */
  readonly connections: Connections;
  readonly file: FileRef;
  /** Longest wait for the answer to begin, and for each piece of it. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Who is slower is given up, where there is another to ask; undefined: waited for. */
  readonly slowest?: Pace;
}

/** So many bytes a second, looked at when they were waited for so long. What the reader does meanwhile does not count. */
export interface Pace {
  readonly bytesPerSecond: number;
  readonly afterMs: number;
}

const REFUSAL_LIMIT = 16 * 1024;

/**
 * One request for a part of a file; each piece is valid until the next is asked for. Throws `unavailable` when it is cut or
 * stands still, the origin's refusal when it refuses.
 */
export async function* requestFile(options: FileRequest): AsyncGenerator<Buffer, void> {
  const { origin, idleMs, signal, slowest } = options;
  const over = new AbortController();
  try {
    const exchange = await within(ask(options, AbortSignal.any([signal, over.signal])), idleMs);
    let skip = await within(startOf(exchange, options), idleMs);
    let waitedMs = 0;
    let came = 0;
    for (;;) {
      const since = performance.now();
      const bytes = await within(exchange.next(), idleMs);
      waitedMs += performance.now() - since;
      if (bytes === undefined) return;
      came += bytes.length;
      if (slowest !== undefined && isBehind(slowest, came, waitedMs)) {
        throw new HpsError(
          "unavailable",
          `${origin.address} gives less than ${roundSize(slowest.bytesPerSecond)} a second`,
        );
      }
      const wanted = bytes.subarray(skip);
      skip -= bytes.length - wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HpsError ? error : unreachable(origin.address, error);
  } finally {
    over.abort(); // and the connection, unless its answer has ended
  }
}

function isBehind({ bytesPerSecond, afterMs }: Pace, came: number, waitedMs: number): boolean {
  return waitedMs > afterMs && came < (bytesPerSecond * waitedMs) / 1000;
}

function ask({ origin, connections, file, from, to }: FileRequest, signal: AbortSignal): Promise<Exchange> {
  const range = to === file.sizeBytes ? `bytes=${from}-` : `bytes=${from}-${to - 1}`;
  const isPart = from > 0 || to < file.sizeBytes;
  const headers = { accept: "application/octet-stream, application/json", ...(isPart && { range }) };
  return Exchange.ask({ target: origin.target(), path: origin.path(file.digest), headers, connections, signal });
}

/** How many bytes of the body come before the first one wanted: none where the range is honoured. */
async function startOf(exchange: Exchange, { origin, file, from, to }: FileRequest): Promise<number> {
  const { status, headers } = exchange.head;
  const expected = `bytes ${from}-${to - 1}/${file.sizeBytes}`;
  if (status === 206 && headers.get("content-range") === expected && exchange.length === to - from) return 0;
  // All of a file, to throw most of it away, is worth it only for the end of one.
  if (status === 200 && exchange.length === file.sizeBytes && to === file.sizeBytes) return from;
  if (status === 200 || status === 206 || status === 416) {
    throw new HpsError(
      "data-loss",
      `${origin.address} serves the file ${file.digest.slice(0, 12)}… with another length`,
      {
        hint: "import it again, then hpsctl installation retry HOST",
      },
    );
  }
  throw origin.refusal(status, await exchange.text(REFUSAL_LIMIT));
}

async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  promise.catch(() => undefined); // when time is up, nobody waits for its failure
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new HpsError("unavailable", `nothing came for ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
