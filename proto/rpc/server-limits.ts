/** How much a peer may take of the server, and for how long. */
import type { ServerOptions } from "@grpc/grpc-js";
import type { ListenerLimits } from "./listener.ts";
import { MAX_MESSAGE_BYTES } from "./wire.ts";

export interface RpcServerLimits extends ListenerLimits {
  /** Calls at one time on one connection. */
  readonly streams: number;
  /** What an admitted peer may send ahead on one stream, once it has asked for one that goes both ways. */
  readonly windowBytes: number;
  /** For `authorize` to decide. */
  readonly authorizeMs: number;
  /** For an admitted peer to send the one request of a unary or server streaming call. */
  readonly requestMs: number;
  /** For a peer to take the end of its call, before the stream is reset. */
  readonly flushMs: number;
  /** How long a connection may stay without a call. */
  readonly idleMs: number;
}

export const DEFAULT_LIMITS: RpcServerLimits = {
  connections: 20_000,
  connectionsPerAddress: 256,
  handshakeMs: 10_000,
  streams: 128,
  windowBytes: 256 * 1024,
  authorizeMs: 10_000,
  requestMs: 30_000,
  flushMs: 30_000,
  idleMs: 600_000,
};

export function transportOptions(limits: RpcServerLimits): ServerOptions {
  return {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": limits.streams,
    // MiB an HTTP/2 session may hold before it refuses new streams.
    "grpc-node.max_session_memory": 32,
    // A peer that vanished is noticed within 50 s.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.max_connection_idle_ms": limits.idleMs,
    "grpc.enable_channelz": 0,
  };
}
