import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { limitConnections } from "../../proto/rpc/connection-limit.ts";
import { ERROR_TABLE, HpsError } from "../../proto/values/hps-error.ts";
import { answerForm } from "./answer-form.ts";
import { type Answer, renderRefusal } from "./refusal.ts";

/** One answer of the boot door: text, bytes, or a file's stream with its length. */
export interface BootAnswer {
  readonly status?: number;
  readonly type: string;
  readonly body: string | Buffer;
}

type BootMethod = "GET" | "HEAD" | "POST";

/** A request as its route sees it. */
export interface BootRequest {
  readonly method: BootMethod;
  /** As the socket says it: may be `::ffff:10.0.0.9`. */
  readonly address: string;
  readonly query: URLSearchParams;
  /** What follows the route's own path. */
  readonly rest: string;
  /** What was sent along, read as UTF-8; `invalid` when it is longer than so many bytes. */
  readonly body: (limit: number) => Promise<string>;
  readonly response: ServerResponse;
}

export interface BootRoute {
  readonly methods: readonly BootMethod[];
  /** It gives what a machine loads and does not run as a script: a refusal of it has its true status to iPXE too. */
  readonly loaded?: true;
  /** Answers, or throws an HpsError. `undefined`: the route has sent the answer itself. */
  readonly serve: (request: BootRequest) => Promise<BootAnswer | undefined>;
}

export interface BootDoorOptions {
  /** By path; one that ends in a slash takes all that is below. */
  readonly routes: Readonly<Record<string, BootRoute>>;
  /** For what is no HpsError; answers with an incident id. Must not throw. */
  readonly onError: (path: string, error: unknown) => string;
  readonly onAnswer?: (path: string, status: number) => void;
  readonly limits?: Partial<typeof LIMITS>;
}

const MAX_URL = 4_096;
const MAX_CONNECTIONS = 2_048;
/** Firmware opens one or two at a time; a machine that opens more keeps nobody else out. */
const MAX_PER_ADDRESS = 32;
/** Milliseconds and bytes, as node:http names them. */
const LIMITS = {
  requestTimeout: 15_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 8_192,
};

/** The HTTP server of the boot network: small requests, short waits, refusals in the asker's form. */
export function createBootDoor(options: BootDoorOptions): Server {
  const server = createServer({ ...LIMITS, ...options.limits }, (request, response) => {
    void answer(options, request, response);
  });
  limitConnections(server, { connections: MAX_CONNECTIONS, connectionsPerAddress: MAX_PER_ADDRESS });
  server.maxRequestsPerSocket = 100;
  // A peer that stops reading an answer is cut off.
  server.setTimeout(60_000);
  return server;
}

async function answer(options: BootDoorOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  response.on("finish", () => options.onAnswer?.(routeOf(options.routes, path)?.[0] ?? "unknown", response.statusCode));
  try {
    const sent = await handle(options, request, response, path);
    if (sent !== undefined)
      send(response, { status: sent.status ?? 200, headers: { "content-type": sent.type }, body: sent.body });
  } catch (error) {
    if (response.headersSent) response.destroy();
    else
      send(
        response,
        refusalOf(request, error, {
          loaded: routeOf(options.routes, path)?.[1].loaded === true,
          report: (unknown) => options.onError(path, unknown),
        }),
      );
  }
}

async function handle(
  { routes }: BootDoorOptions,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<BootAnswer | undefined> {
  if ((request.url ?? "").length > MAX_URL)
    throw new HpsError("invalid", `the address is longer than ${MAX_URL} characters`);
  const [prefix, route] = routeOf(routes, path) ?? [];
  if (prefix === undefined || route === undefined) throw new HpsError("not-found", "the boot door has nothing there");
  const method = route.methods.find((known) => known === request.method);
  if (method === undefined)
    throw new HpsError("unimplemented", `${prefix} answers ${route.methods.join(" and ")} alone`);
  const query = new URLSearchParams((request.url ?? "").slice(path.length + 1));
  const address = request.socket.remoteAddress ?? "";
  const body = (limit: number) => bodyOf(request, limit);
  return await route.serve({ method, address, query, rest: path.slice(prefix.length), body, response });
}

/** The door's time for a whole request bounds how long it waits. */
async function bodyOf(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > limit) throw new HpsError("invalid", `what was sent is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function routeOf(routes: BootDoorOptions["routes"], path: string): [string, BootRoute] | undefined {
  return Object.entries(routes).find(([prefix]) => (prefix.endsWith("/") ? path.startsWith(prefix) : path === prefix));
}

function refusalOf(
  request: IncomingMessage,
  error: unknown,
  { loaded, report }: { readonly loaded: boolean; readonly report: (error: unknown) => string },
): Answer {
  const { accept, "user-agent": userAgent } = request.headers;
  const form = answerForm({ accept, userAgent });
  if (!(error instanceof HpsError) || error.code === "internal") {
    return renderRefusal(
      { status: 500, reason: "hpsd failed; its log tells more", incident: report(error) },
      form,
      loaded,
    );
  }
  const status = ERROR_TABLE[error.code].http;
  return renderRefusal({ status, reason: error.message, incident: error.details.incident ?? "" }, form, loaded);
}

function send(
  response: ServerResponse,
  { status, headers, body }: { status: number; headers: Answer["headers"]; body: string | Buffer },
): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, "cache-control": "no-store", "content-length": length });
  response.end(body);
}
