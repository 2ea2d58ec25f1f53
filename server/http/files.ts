import { type FileHandle, open } from "node:fs/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Caller, Principal } from "../core/identity/principal.ts";
import { type ByteRange, byteRangeOf } from "./byte-range.ts";
import { CountedHosts } from "./counted-hosts.ts";
import { FileSending, lost } from "./file-sending.ts";
import type { HeldOpen } from "./held-open.ts";
import type { DoorApp } from "./https-door.ts";
import { addressOf, chainOf } from "./peer.ts";
import type { PieceBuffers } from "./piece-buffers.ts";

interface ServedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export interface FileRoutesDeps {
  readonly resolve: (chain: readonly Buffer[]) => Promise<Principal>;
  /** The file, if this caller may have it; undefined also for one that does not exist. Records what it refuses. */
  readonly fileFor: (caller: Caller, digest: string) => Promise<ServedFile | undefined>;
  /** Records the refusal of who has no certificate for this; answers with the incident. */
  readonly refused: (who: { actor: string; action: string; address: string }, reason: string) => Promise<string>;
  readonly downloads: HeldOpen;
  readonly buffers: PieceBuffers;
  readonly onSent: (bytes: number) => void;
  /** Requests of one address in a minute; of a host that is known, more. */
  readonly perMinute: number;
}

const ACTION = "files.read";
const PATH = "/files/v1/:digest";
/** What has a digest for a name never changes; who may read it is asked each time, so no cache between may keep it. */
const CACHE = "private, max-age=31536000, immutable";

/**
 * `GET` and `HEAD /files/v1/DIGEST` (SHA-256, lower-case hex), with ranges: what an agent needs of its own installation.
 * Who it is and what it may have is asked at each request; whatever it may not have is as absent as what does not exist.
 */
export function fileRoutes(deps: FileRoutesDeps): (app: DoorApp) => void {
  return (app) => {
    const hosts = new CountedHosts(deps.perMinute);
    const limited = { config: { rateLimit: hosts.limit }, exposeHeadRoute: false };
    const serveTo = async (request: FastifyRequest, reply: FastifyReply) => await serve(deps, hosts, request, reply);
    app.head(PATH, limited, serveTo);
    app.get(PATH, limited, serveTo);
  };
}

async function serve(
  deps: FileRoutesDeps,
  hosts: CountedHosts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = await callerOf(deps, request);
  const digest = digestIn(request.params);
  const file = digest === undefined ? undefined : await deps.fileFor(caller, digest);
  if (digest === undefined || file === undefined) throw new HpsError("not-found", "there is nothing at this address");
  hosts.know(request, caller.principal);
  const etag = `"${digest}"`;
  void reply.headers({ etag, "cache-control": CACHE, "accept-ranges": "bytes" });
  if (isKnown(request.headers["if-none-match"], etag)) return await reply.code(304).send();
  const range = byteRangeOf(request.headers, file.sizeBytes, etag);
  if (range.kind === "outside") {
    return await reply.code(416).header("content-range", `bytes */${file.sizeBytes}`).send();
  }
  return await send(deps, { caller, request, reply, file, range });
}

/** Installers and hosts alone; a host's certificate that waits for its first attach is good for nothing else. */
async function callerOf(deps: FileRoutesDeps, request: FastifyRequest): Promise<Caller> {
  const address = addressOf(request);
  const who = { actor: `address:${address}`, action: ACTION, address };
  try {
    const principal = await deps.resolve(chainOf(request));
    if (principal.kind === "nobody") throw new HpsError("unauthenticated", "no client certificate");
    if (principal.kind === "host" && principal.waiting === true) {
      throw new HpsError("unauthenticated", "your certificate is not in use yet: attach first");
    }
    return { principal, address, action: ACTION, needs: "viewer" };
  } catch (error) {
    if (!(error instanceof HpsError) || error.code !== "unauthenticated") throw error;
    const incident = await deps.refused({ ...who, actor: error.details.identity ?? who.actor }, error.message);
    throw new HpsError(error.code, error.message, { hint: error.hint, details: { ...error.details, incident } });
  }
}

interface Sending {
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly file: ServedFile;
  readonly range: Exclude<ByteRange, { kind: "outside" }>;
}

async function send(deps: FileRoutesDeps, { caller, request, reply, file, range }: Sending): Promise<FastifyReply> {
  const { sizeBytes } = file;
  const [first, last] = range.kind === "whole" ? [0, sizeBytes - 1] : [range.first, range.last];
  void reply.type("application/octet-stream").header("content-length", last - first + 1);
  if (range.kind === "part") void reply.code(206).header("content-range", `bytes ${first}-${last}/${sizeBytes}`);
  if (request.method === "HEAD" || sizeBytes === 0) return await reply.send();
  return await sendBody(deps, { caller, reply, file, first, last });
}

interface Body extends Omit<Sending, "request" | "range"> {
  readonly first: number;
  readonly last: number;
}

/** Read as fast as the peer takes it; ended when the peer leaves or loses the right to it. */
async function sendBody(deps: FileRoutesDeps, { caller, reply, file, first, last }: Body): Promise<FastifyReply> {
  const { downloads, onSent, buffers } = deps;
  const handle = await opened(file);
  let stop = (): void => undefined;
  const done = closedUnless(handle, () => downloads.begin(caller, () => stop()));
  const onEnd = (bytes: number) => {
    done();
    onSent(bytes);
  };
  const { raw } = reply;
  const sending = new FileSending({ handle, response: raw, buffers, first, last, onEnd });
  stop = sending.stop;
  await sending.prepare();
  // What Fastify sends a stream with makes new memory for each piece.
  void reply.hijack();
  raw.statusCode = reply.statusCode;
  for (const [name, value = ""] of Object.entries(reply.getHeaders())) raw.setHeader(name, value);
  // Written together with the first piece it would have all of that copied.
  raw.flushHeaders();
  sending.run();
  return reply;
}

/** What this gives; the file is closed when it throws. */
function closedUnless<T>(handle: FileHandle, give: () => T): T {
  try {
    return give();
  } catch (error) {
    handle.close().catch(() => undefined);
    throw error;
  }
}

async function opened({ path, sizeBytes }: ServedFile): Promise<FileHandle> {
  const handle = await open(path).catch((cause: unknown) => {
    throw lost(cause);
  });
  const { size } = await handle.stat();
  if (size === sizeBytes) return handle;
  await handle.close();
  throw lost(undefined);
}

function digestIn(params: unknown): string | undefined {
  const digest: unknown = typeof params === "object" && params !== null ? Reflect.get(params, "digest") : undefined;
  return typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}

/** Weak and strong are one here: the bytes are named by what they are. */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}
