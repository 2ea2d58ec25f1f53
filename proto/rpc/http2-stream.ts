/**
 * What grpc-js does not offer by its public interface and we need: the HTTP/2 stream below a call, for the peer's
 * certificate chain and to reset it, and a handler for methods nobody registered. Both reach into the pinned version's
 * private fields; both fail closed and have a test, so an update that moves them is seen at once.
 */
import type { ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Server, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import type { Peer } from "./handlers.ts";
import type { Frame } from "./wire.ts";

/** An intermediate or two is usual; more would only be there to cost time. */
const MAX_CHAIN = 8;

const peers = new WeakMap<object, Peer>();
const widened = new WeakSet<object>();

export function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  const stream: unknown = Reflect.get(call, "stream");
  if (!isServerStream(stream)) {
    throw new HpsError("internal", "this version of grpc-js hides the HTTP/2 stream of a call");
  }
  return stream;
}

function isServerStream(value: unknown): value is ServerHttp2Stream {
  return value instanceof Duplex && "session" in value && "rstCode" in value;
}

/**
 * Lets the peer send so much ahead on each stream of this connection: with what HTTP/2 begins with, 64 KiB, a far one sends
 * no more than that in a round trip. Said once a connection. What a stream that is not read holds back is no other's.
 */
export function widenWindow({ session }: ServerHttp2Stream, bytes: number): void {
  if (session === undefined || session.destroyed || widened.has(session)) return;
  widened.add(session);
  session.setLocalWindowSize(bytes);
  session.settings({ initialWindowSize: bytes });
}

/** Calls back when the transport took it; never of a stream that broke, whose call then ends. */
export function writeFrame(stream: ServerHttp2Stream, [head, bulk]: Frame, onTaken: () => void): void {
  const written = (error?: Error | null) => {
    if (!error) onTaken();
  };
  if (bulk === undefined) {
    stream.write(head, written);
    return;
  }
  stream.cork();
  stream.write(head);
  stream.write(bulk, written);
  stream.uncork();
}

/** The peer of a stream, read from its connection once. Throws `unavailable` when the connection is already gone. */
export function peerOf(stream: ServerHttp2Stream): Peer {
  const session = stream.session;
  if (session === undefined || session.destroyed) {
    throw new HpsError("unavailable", "the connection is closed");
  }
  const known = peers.get(session);
  if (known !== undefined) {
    return known;
  }
  const socket = session.socket;
  if (!(socket instanceof TLSSocket)) {
    throw new HpsError("internal", "a call came over a connection without TLS");
  }
  const peer = { address: plainAddress(socket.remoteAddress ?? ""), certificateChain: chainOf(socket) };
  peers.set(session, peer);
  return peer;
}

/** `::ffff:192.0.2.1` is 192.0.2.1 to everyone but the socket. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** DER, leaf first, as the peer presented it; empty when it presented none. Proof of the key, not of any trust. */
export function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_CHAIN) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/** grpc-js answers an unknown method by itself, before any authorisation: give such calls to `handlerOf(path)` too. */
export function catchUnknownMethods(server: Server, handlerOf: (path: string) => object): void {
  const known: unknown = Reflect.get(server, "handlers");
  if (!(known instanceof Map)) {
    throw new HpsError("internal", "this version of grpc-js hides its table of handlers");
  }
  const get = known.get.bind(known);
  known.get = (path: unknown) => get(path) ?? handlerOf(String(path));
}
