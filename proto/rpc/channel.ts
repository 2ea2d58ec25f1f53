/** A connection to one hpsd: mutually authenticated TLS, made when first needed and made again when lost. */
import { isIP } from "node:net";
import {
  checkServerIdentity as checkName,
  createSecureContext,
  type PeerCertificate,
  type SecureContextOptions,
} from "node:tls";
import { ChannelCredentials, Channel as GrpcChannel, type ChannelOptions as GrpcOptions } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import { serverRefusal } from "./call-error.ts";
import { MAX_MESSAGE_BYTES } from "./wire.ts";

interface ChannelTls {
  /** PEM roots the server's chain must end in. Never empty: there is no falling back to the public roots. */
  readonly ca: string | Buffer;
  /** PEM, leaf first; with `key`. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name the server's certificate must have, when it is not the host in `address`. */
  readonly serverName?: string;
  /** What must hold beside the chain and the name; a sentence when it does not. */
  readonly checkServer?: (certificate: PeerCertificate) => string | undefined;
}

export interface ChannelOptions {
  /** `host:port`, `[v6]:port`. */
  readonly address: string;
  readonly tls: ChannelTls;
  /** Sent with every call as `hps-version`. */
  readonly version: string;
  /** Between pings while calls are open; default 30 s. */
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
  /** First and longest pause before a lost connection is tried again; default 1 s and 30 s, with jitter. */
  readonly reconnectMs?: { readonly first: number; readonly longest: number };
}

/** One connection, shared by all clients made on it. */
export interface Channel {
  readonly address: string;
  readonly version: string;
  /** For `client-call.ts`, and the calls it has open. */
  readonly grpc: GrpcChannel;
  readonly calls: Set<{ readonly cancel: () => void }>;
  /** Ends every call on it. */
  readonly close: () => void;
}

/** Connects lazily. Throws `invalid` for an address or credentials that cannot be used. */
export function openChannel(options: ChannelOptions): Channel {
  const { address, version } = options;
  if (!/^(\[[0-9a-f:.]+\]|[^\s:/[\]]+):\d{1,5}$/i.test(address)) {
    throw new HpsError("invalid", `"${address}" is not host:port`);
  }
  const target = /^\[|^\d+\.\d+\.\d+\.\d+:/.test(address) ? address : `dns:${address}`;
  const grpc = new GrpcChannel(target, credentialsOf(options), transportOptions(options));
  const calls: Channel["calls"] = new Set();
  const close = () => {
    for (const call of calls) {
      call.cancel();
    }
    grpc.close();
  };
  return { address, version, grpc, calls, close };
}

function credentialsOf({ address, tls }: ChannelOptions): ChannelCredentials {
  const name = tls.serverName ?? hostOf(address);
  // The name is ours, not the one the transport passes: that may be the stand-in below.
  const checkServerIdentity = (_host: string, certificate: PeerCertificate) => {
    const problem = checkName(name, certificate);
    const further = problem === undefined ? tls.checkServer?.(certificate) : undefined;
    return further === undefined ? problem : serverRefusal(further);
  };
  // rejectUnauthorized is said outright, because an environment variable could switch the default off.
  return ChannelCredentials.createFromSecureContext(contextOf(tls), { checkServerIdentity, rejectUnauthorized: true });
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

/** What is said in the TLS hello, where an IP address is not allowed (RFC 6066 section 3). */
function helloName({ address, tls }: ChannelOptions): string {
  const name = tls.serverName ?? hostOf(address);
  return isIP(name) === 0 ? name : "hpsd.invalid";
}

function contextOf(tls: ChannelTls) {
  if (!tls.ca?.toString().includes("BEGIN CERTIFICATE")) {
    throw new HpsError("invalid", "no CA certificate is given to know the server by");
  }
  const own: SecureContextOptions = tls.cert && tls.key ? { cert: tls.cert, key: tls.key } : {};
  try {
    return createSecureContext({ ...own, ca: tls.ca, minVersion: "TLSv1.3" });
  } catch (cause) {
    throw new HpsError("invalid", "the certificate, its key or the CA cannot be used", { cause });
  }
}

function transportOptions(options: ChannelOptions): GrpcOptions {
  return {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": options.keepaliveMs ?? 30_000,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? 20_000,
    "grpc.initial_reconnect_backoff_ms": options.reconnectMs?.first ?? 1000,
    "grpc.max_reconnect_backoff_ms": options.reconnectMs?.longest ?? 30_000,
    // Not shared beyond this channel, so that closing it closes the connection.
    "grpc.use_local_subchannel_pool": 1,
    // A call is made once; its caller knows whether it may be made again.
    "grpc.enable_retries": 0,
    // Neither the environment nor DNS tells us where hpsd is.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_channelz": 0,
    "grpc.ssl_target_name_override": helloName(options),
    // Bytes on the way to us of one stream: what a reader that pauses lets pile up, and the most a fast one gets in a round trip.
    "grpc-node.flow_control_window": 512 * 1024,
  };
}
