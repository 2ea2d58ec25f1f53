import type { IncomingMessage } from "node:http";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { unreachable } from "./est-answer.ts";
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

/** Read ahead while the disk is busy; a socket's own 64 kB empties in a millisecond. */
const READ_AHEAD = 256 * 1024;
const REFUSAL_LIMIT = 16 * 1024;

/** One request for a part of a file. Throws `unavailable` when it is cut or stands still, the origin's refusal when it refuses. */
export async function* requestFile(options: FileRequest): AsyncGenerator<Buffer, void> {
  const { origin, idleMs, signal, slowest } = options;
  const over = new AbortController();
  let ended = false;
  try {
    const sent = send(options, AbortSignal.any([signal, over.signal]));
    const response = await within(sent, idleMs);
    let skip = await startOf(response, options);
    const chunks: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
    let waitedMs = 0;
    let came = 0;
    for (;;) {
      const since = performance.now();
      const { done, value } = await within(chunks.next(), idleMs);
      waitedMs += performance.now() - since;
      if (done === true) {
        ended = true;
        return;
      }
      came += value.length;
      if (slowest !== undefined && isBehind(slowest, came, waitedMs)) {
        throw new HpsError(
          "unavailable",
          `${origin.address} gives less than ${roundSize(slowest.bytesPerSecond)} a second`,
        );
      }
      const wanted = value.subarray(skip);
      skip -= value.length - wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HpsError ? error : unreachable(origin.address, error);
  } finally {
    if (!ended) over.abort(); // or the connection, which may serve another request
  }
}

function isBehind({ bytesPerSecond, afterMs }: Pace, came: number, waitedMs: number): boolean {
  return waitedMs > afterMs && came < (bytesPerSecond * waitedMs) / 1000;
}

function send({ origin, file, from, to }: FileRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const range = to === file.sizeBytes ? `bytes=${from}-` : `bytes=${from}-${to - 1}`;
  const isPart = from > 0 || to < file.sizeBytes;
  const options = {
    ...origin.options(file.digest),
    highWaterMark: READ_AHEAD,
    headers: { accept: "application/octet-stream, application/json", ...(isPart && { range }) },
  };
  return new Promise((resolve, reject) => {
    const outgoing = origin.request(options, (response) => {
      response.on("error", () => undefined); // whoever reads it is told; after that nobody has to be
      resolve(response);
    });
    outgoing.on("error", reject);
    // Without an error, unlike Node's own `signal`: between the last byte and the end of the response the connection would have
    // it when nobody listens to it any more, and the agent would die of it.
    const giveUp = () => void outgoing.destroy();
    signal.addEventListener("abort", giveUp, { once: true });
    outgoing.once("close", () => signal.removeEventListener("abort", giveUp));
    if (signal.aborted) giveUp();
    else outgoing.end();
  });
}

/** How many bytes of the body come before the first one wanted: none where the range is honoured. */
async function startOf(response: IncomingMessage, { origin, file, from, to }: FileRequest): Promise<number> {
  const { statusCode: status = 0, headers } = response;
  const expected = `bytes ${from}-${to - 1}/${file.sizeBytes}`;
  if (status === 206 && headers["content-range"] === expected) return 0;
  // All of a file, to throw most of it away, is worth it only for the end of one.
  if (status === 200 && headers["content-length"] === `${file.sizeBytes}` && to === file.sizeBytes) return from;
  if (status === 200 || status === 206 || status === 416) {
    throw new HpsError(
      "data-loss",
      `${origin.address} serves the file ${file.digest.slice(0, 12)}… with another length`,
      {
        hint: "import it again, then hpsctl installation retry HOST",
      },
    );
  }
  throw origin.refusal(status, await refusalBody(response));
}

async function refusalBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > REFUSAL_LIMIT) break;
  }
  return Buffer.concat(chunks);
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
