/**
 * The TCP and TLS side of the server: who may hold a connection, for how long before saying something sensible, and with
 * which certificate we answer. grpc-js sees a connection only after its HTTP/2 preface, so a silent peer costs it nothing.
 */
import { constants } from "node:crypto";
import { once } from "node:events";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import { HpsError } from "../values/hps-error.ts";
import { plainAddress } from "./http2-stream.ts";

/** RFC 9113 section 3.4. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** PEM, leaf first. */
export interface ServerCertificate {
  readonly key: string | Buffer;
  readonly chain: string | Buffer;
}

export interface ListenerLimits {
  readonly connections: number;
  /** Of one IPv4 address or one IPv6 /64. */
  readonly connectionsPerAddress: number;
  /** For the TLS handshake, and again for the HTTP/2 preface. */
  readonly handshakeMs: number;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly certificate: ServerCertificate;
  readonly limits: ListenerLimits;
  /** Called with each connection that spoke TLS and the HTTP/2 preface. */
  readonly onConnection: (socket: TLSSocket) => void;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #tcp: TcpServer;
  readonly #tls: TlsServer;
  readonly #open = new Map<Socket, string>();
  readonly #perAddress = new Map<string, number>();
  #onEmpty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = createTlsServer({
      ...contextOf(options.certificate),
      // A certificate is asked for and not judged: `authorize` does, for each call, so that its peer gets a gRPC status.
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      handshakeTimeout: options.limits.handshakeMs,
    });
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#tls.on("secureConnection", (socket) => this.#awaitPreface(socket));
    this.#tcp = createTcpServer({ noDelay: true }, (socket) => this.#admit(socket));
  }

  /** Throws `unavailable` when the address cannot be had. */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    try {
      this.#tcp.listen(port, host);
      await once(this.#tcp, "listening");
    } catch (cause) {
      throw new HpsError("unavailable", `cannot listen on ${host} port ${port}`, { cause });
    }
    // A later error is a connection that failed to be accepted (out of descriptors): the next may do better.
    this.#tcp.on("error", () => undefined);
    const address = this.#tcp.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Connections now open, from their first packet on. */
  get connections(): number {
    return this.#open.size;
  }

  /** For new handshakes; open connections stay. Throws `invalid` when key and chain do not fit. */
  replaceCertificate(certificate: ServerCertificate): void {
    try {
      this.#tls.setSecureContext(contextOf(certificate));
    } catch (cause) {
      throw new HpsError("invalid", "the new server certificate and key cannot be used", { cause });
    }
  }

  /** Resolves when no connection is open. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
  }

  /** Accepts no more; open connections stay. */
  close(): void {
    this.#tcp.close();
  }

  destroyConnections(): void {
    for (const socket of this.#open.keys()) {
      socket.destroy();
    }
  }

  #checkEmpty(): void {
    if (this.#open.size === 0) {
      this.#onEmpty?.();
    }
  }

  #admit(socket: Socket): void {
    const { limits } = this.#options;
    const group = groupOf(socket.remoteAddress ?? "");
    const held = this.#perAddress.get(group) ?? 0;
    socket.on("error", () => socket.destroy());
    if (this.#open.size >= limits.connections || held >= limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    this.#open.set(socket, group);
    this.#perAddress.set(group, held + 1);
    socket.once("close", () => this.#release(socket, group));
    this.#tls.emit("connection", socket);
  }

  #release(socket: Socket, group: string): void {
    this.#open.delete(socket);
    this.#checkEmpty();
    const held = (this.#perAddress.get(group) ?? 1) - 1;
    if (held === 0) {
      this.#perAddress.delete(group);
    } else {
      this.#perAddress.set(group, held);
    }
  }

  #awaitPreface(socket: TLSSocket): void {
    const timer = setTimeout(() => socket.destroy(), this.#options.limits.handshakeMs);
    let seen: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      if (!seen.subarray(0, length).equals(PREFACE.subarray(0, length))) {
        socket.destroy();
      } else if (length === PREFACE.length) {
        clearTimeout(timer);
        socket.off("data", onData);
        socket.pause();
        socket.unshift(seen);
        this.#options.onConnection(socket);
      }
    };
    socket.on("error", () => socket.destroy());
    socket.once("close", () => clearTimeout(timer));
    socket.on("data", onData);
  }
}

/**
 * TLS 1.3 alone: every client of ours speaks it, and it hides certificates from the wire. No session is kept and no ticket
 * holds one, because a resumed session would carry a certificate nobody looked at.
 */
function contextOf(certificate: ServerCertificate): SecureContextOptions {
  return {
    key: certificate.key,
    cert: certificate.chain,
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Who owns one IPv6 address commonly owns its /64. */
export function groupOf(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(":")) {
    return plain;
  }
  const [head = "", tail = ""] = plain.split("::");
  const left = head.split(":").filter((part) => part !== "");
  const right = tail.split(":").filter((part) => part !== "");
  const zeros = plain.includes("::") ? Array.from({ length: 8 - left.length - right.length }, () => "0") : [];
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
