/**
 * gRPC over mTLS by node:http2 alone: a client that costs little beside the server it measures, and is the same for ours
 * and for the one compared with.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import type { Credentials } from "./fleet.ts";

export interface ConnectionOptions extends Credentials {
  readonly ca: string;
  readonly port: number;
  /** Of the loopback network; default what the kernel takes. */
  readonly localAddress?: string;
}

/** Connects when the first call is made. */
export function openConnection({ port, localAddress, ca, key, cert }: ConnectionOptions): ClientHttp2Session {
  const socket = connectTls({
    ...{ host: "127.0.0.1", port, ca, key, cert, servername: "localhost", ALPNProtocols: ["h2"] },
    ...(localAddress !== undefined && { localAddress }),
  });
  return connectHttp2(`https://localhost:${port}`, { createConnection: () => socket, maxSessionMemory: 64 });
}

export function startCall(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  return session.request(
    {
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      "hps-version": "0.1.0",
    },
    { endStream: false },
  );
}

/** A message as it goes over the wire: not compressed, its length, itself. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Cuts what comes into messages. */
export function onMessages(stream: ClientHttp2Stream, onMessage: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const end = 5 + rest.readUInt32BE(1);
      if (rest.length < end) break;
      onMessage(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  });
}
