import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { plainAddress } from "../../proto/rpc/http2-stream.ts";

const MAX_CHAIN = 8;

/** A request, before or after Fastify has read it. */
interface Received {
  readonly socket: Socket;
}

/** The sender, as the socket knows it: no header is believed. An IPv4 address is never in its IPv6-mapped form. */
export function addressOf(request: Received): string {
  return plainAddress(request.socket.remoteAddress ?? "");
}

/** DER, leaf first, as the client presented it; empty when it presented none. Proof of the key, not of any trust. */
export function chainOf(request: Received): readonly Buffer[] {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return [];
  const chain: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_CHAIN) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
