import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { refusalOf, unreachable } from "./est-answer.ts";
import { fastestCipher } from "./fastest-cipher.ts";
import { connectionOf } from "./https-connection.ts";
import type { Identity } from "./identity.ts";

/** A file that hpsd serves by its digest. */
export interface FileRef {
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface FileRequest {
  readonly identity: Pick<Identity, "contact" | "credentials">;
  readonly file: FileRef;
  /** Of the first byte wanted. */
  readonly from: number;
  /** Longest wait for the answer to begin, and for each piece of it. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** Read ahead while the disk is busy; a socket's own 64 kB empties in a millisecond. */
const READ_AHEAD = 1024 * 1024;
const REFUSAL_LIMIT = 16 * 1024;

/** One request for the rest of a file. Throws `unavailable` when it is cut or stands still, hpsd's refusal when it refuses. */
export async function* requestFile(options: FileRequest): AsyncGenerator<Buffer, void> {
  const { identity, idleMs, signal } = options;
  const over = new AbortController();
  try {
    const sent = send(options, AbortSignal.any([signal, over.signal]));
    const response = await within(sent, idleMs);
    let skip = await startOf(response, options);
    const chunks: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await within(chunks.next(), idleMs);
      if (done === true) return;
      const wanted = value.subarray(skip);
      skip -= value.length - wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof HpsError ? error : unreachable(identity.contact.https, error);
  } finally {
    over.abort();
  }
}

function send({ identity, file, from }: FileRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const options = {
    ...connectionOf(identity.contact),
    ...tlsKeyPair(identity.credentials),
    ...{ path: `/files/v1/${file.digest}`, signal, highWaterMark: READ_AHEAD, ciphers: fastestCipher() },
    headers: { accept: "application/octet-stream, application/json", ...(from > 0 && { range: `bytes=${from}-` }) },
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (response) => {
      response.on("error", () => undefined); // whoever reads it is told; after that nobody has to be
      resolve(response);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** How many bytes of the body come before the first one wanted: none where hpsd honours the range. */
async function startOf(response: IncomingMessage, { file, from }: FileRequest): Promise<number> {
  const { statusCode: status = 0, headers } = response;
  const expected = `bytes ${from}-${file.sizeBytes - 1}/${file.sizeBytes}`;
  if (status === 206 && headers["content-range"] === expected) return 0;
  if (status === 200 && headers["content-length"] === `${file.sizeBytes}`) return from;
  if (status === 200 || status === 206 || status === 416) {
    throw new HpsError("data-loss", `hpsd serves the file ${file.digest.slice(0, 12)}… with another length`, {
      hint: "import it again, then hpsctl installation retry HOST",
    });
  }
  throw refusalOf({ status, body: await refusalBody(response) });
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
