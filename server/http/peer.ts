import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { chainOf as chainOfSocket, plainAddress } from "../../proto/rpc/http2-stream.ts";

/** A request, before or after Fastify has read it. */
interface Received {
  readonly socket: Socket;
}

/** The sender, as the socket knows it: no header is believed. An IPv4 address is never in its IPv6-mapped form. */
export function addressOf(request: Received): string {
  return plainAddress(request.socket.remoteAddress ?? "");
}

/** What the client presented; empty over a connection without TLS. */
export function chainOf({ socket }: Received): readonly Buffer[] {
  return socket instanceof TLSSocket ? chainOfSocket(socket) : [];
}
