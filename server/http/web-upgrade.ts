import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ERROR_TABLE, HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { chainOf } from "./peer.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL, TICKET_PREFIX } from "./web/messages.ts";
import { type OwnOrigins, requireOwnOrigin } from "./web-origin.ts";
import type { WebGrant, WebTickets } from "./web-tickets.ts";

export const SOCKET_PATH = "/web/socket";

/** What a page may send in one message, whatever the frames: it is one piece of input or a line of JSON. */
const OPTIONS = {
  noServer: true,
  clientTracking: false,
  maxPayload: MAX_FRAME_BYTES,
  maxFragments: 16,
  maxBufferedChunks: 64,
  perMessageDeflate: false,
  autoPong: false,
  closeTimeout: 5_000,
  handleProtocols: () => SUBPROTOCOL,
};
const SERVER = new WebSocketServer(OPTIONS);

/** For a refusal to be read. */
const REFUSAL_MS = 5_000;

/** Fingerprint of the certificate on a connection; empty without one. */
export function peerOf(chain: readonly Buffer[]): string {
  return chain[0] === undefined ? "" : hash("sha256", chain[0], "hex");
}

/** The grant of the ticket that an upgrade brings, which is used up. `denied` for another origin, or no good ticket. */
export function grantOfUpgrade(request: IncomingMessage, tickets: WebTickets, own: OwnOrigins): WebGrant {
  const origin = requireOwnOrigin(request.headers, own);
  const ticket = ticketIn(request);
  if (ticket === undefined)
    throw new HpsError("denied", "this upgrade brings no ticket", { hint: "load the page again" });
  return tickets.take(ticket, { origin, peer: peerOf(chainOf(request)) });
}

/** Speaks WebSocket from here on. Undefined where the request is none: it is answered, and the socket closed. */
export async function upgraded(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<WebSocket | undefined> {
  return await new Promise((resolve) => {
    socket.once("close", () => resolve(undefined));
    SERVER.handleUpgrade(request, socket, head, resolve);
  });
}

/** Answers with the status of the error and one sentence, and closes: a browser tells its page neither. */
export function refuseUpgrade(socket: Duplex, { code, message, hint }: HpsError): void {
  const { http } = ERROR_TABLE[code];
  const body = [message, hint].map((line) => (line === "" ? "" : `${safeText(line)}\n`)).join("");
  const head = [
    `HTTP/1.1 ${http} ${code}`,
    "connection: close",
    "content-type: text/plain; charset=utf-8",
    "x-content-type-options: nosniff",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.once("finish", () => socket.destroy());
  setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function ticketIn({ headers }: IncomingMessage): string | undefined {
  const [protocol, ticket, ...more] = (headers["sec-websocket-protocol"] ?? "").split(",").map((word) => word.trim());
  if (protocol !== SUBPROTOCOL || more.length > 0 || !ticket?.startsWith(TICKET_PREFIX)) return undefined;
  return ticket.slice(TICKET_PREFIX.length);
}
