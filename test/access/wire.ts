/** A gRPC peer by hand, over one TLS connection: any certificate or none, a session to resume, any method of the contract. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { DescMethod } from "@bufbuild/protobuf";
import { pathOf } from "../../proto/rpc/handlers.ts";
import { frame } from "../../proto/rpc/testing/raw-peer.ts";

/** PEM. */
export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

export interface WireOptions {
  readonly port: number;
  /** PEM of the root. */
  readonly ca: string;
  readonly credentials?: Credentials;
  /** A TLS session of an earlier connection, to be resumed. */
  readonly session?: Buffer;
}

export interface WireCall {
  readonly method: DescMethod;
  /** Encoded. */
  readonly requests: readonly Uint8Array[];
  /** Asked for each reply, encoded: `true` ends the call here. */
  readonly isLast: (reply: Uint8Array) => boolean;
  /** What is not answered by then never is; ms. No call here takes a second. */
  readonly limitMs?: number;
}

export interface Answer {
  /** gRPC status; 0 too for a stream that was left at its last reply. */
  readonly code: number;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
  readonly replies: number;
}

export class Wire {
  readonly socket: TLSSocket;
  readonly #http: ClientHttp2Session;
  readonly #tickets: Buffer[];

  private constructor(socket: TLSSocket, http: ClientHttp2Session, tickets: Buffer[]) {
    this.socket = socket;
    this.#http = http;
    this.#tickets = tickets;
  }

  static async open({ port, ca, credentials, session }: WireOptions): Promise<Wire> {
    const own: ConnectionOptions = { ca, ...credentials, ...(session && { session }) };
    const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ALPNProtocols: ["h2"], ...own });
    const tickets: Buffer[] = [];
    socket.on("session", (ticket) => tickets.push(ticket));
    socket.on("error", () => undefined);
    socket.setNoDelay(true);
    await once(socket, "secureConnect");
    const http = connect(`https://localhost:${port}`, { createConnection: () => socket });
    http.on("error", () => undefined);
    return new Wire(socket, http, tickets);
  }

  /** What a client would keep to resume this connection's session: the server's last ticket, else whatever TLS holds. */
  get session(): Buffer | undefined {
    return this.#tickets.at(-1) ?? this.socket.getSession();
  }

  get hasTicket(): boolean {
    return this.#tickets.length > 0;
  }

  get isClosed(): boolean {
    return this.#http.closed || this.#http.destroyed;
  }

  async call({ method, requests, isLast, limitMs = 15_000 }: WireCall): Promise<Answer> {
    const path = pathOf(method);
    const stream = this.#http.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const seen: IncomingHttpHeaders[] = [];
    stream.on("response", (headers) => seen.push(headers));
    stream.on("trailers", (headers) => seen.push(headers));
    stream.on("error", () => undefined);
    for (const request of requests) stream.write(frame(request));
    // An agent or a terminal that ends its half says that it goes.
    if (method.methodKind !== "bidi_streaming") stream.end();
    const timer = setTimeout(() => stream.destroy(), limitMs);
    try {
      const { replies, left } = await readReplies(stream, isLast);
      return left ? { code: 0, message: "", details: {}, replies } : { ...statusIn(seen), replies };
    } finally {
      clearTimeout(timer);
      stream.destroy();
    }
  }

  close(): void {
    this.#http.destroy();
    this.socket.destroy();
  }
}

async function readReplies(stream: ClientHttp2Stream, isLast: (reply: Uint8Array) => boolean) {
  let rest: Buffer = Buffer.alloc(0);
  let replies = 0;
  try {
    for await (const chunk of stream) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        const reply = rest.subarray(5, end);
        rest = rest.subarray(end);
        replies += 1;
        if (isLast(reply)) return { replies, left: true };
      }
    }
  } catch {
    // The status tells, or its absence.
  }
  return { replies, left: false };
}

function statusIn(headers: readonly IncomingHttpHeaders[]): Omit<Answer, "replies"> {
  const found = headers.find((each) => each["grpc-status"] !== undefined);
  const details = found?.["hps-details-bin"];
  return {
    code: Number(found?.["grpc-status"] ?? -1),
    message: decodeURIComponent(String(found?.["grpc-message"] ?? "no status came")),
    details: typeof details === "string" ? JSON.parse(Buffer.from(details, "base64").toString()) : {},
  };
}
