/** A peer that speaks HTTP/2 by hand, for what a well-behaved client never sends. */
import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import type { Leaf } from "./certificates.ts";
import type { Rig } from "./echo-rig.ts";

/** Connects with this certificate, or with none. */
export async function rawSession(rig: Rig, leaf?: Leaf): Promise<ClientHttp2Session> {
  const own = leaf === undefined ? {} : { key: leaf.key, cert: leaf.cert };
  const session = connect(`https://localhost:${rig.port}`, { ca: rig.root.pem, ...own });
  session.on("error", () => undefined);
  await once(session, "connect");
  return session;
}

/** One length-prefixed gRPC message. */
export function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export interface RawAnswer {
  readonly status: number;
  readonly message: string;
}

/** Sends these bytes as the whole request body and gives the status of the answer. */
export async function rawCall(session: ClientHttp2Session, path: string, body: Buffer): Promise<RawAnswer> {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers);
  stream.on("error", () => undefined);
  const found: IncomingHttpHeaders[] = [];
  stream.on("response", (seen) => found.push(seen));
  stream.on("trailers", (seen) => found.push(seen));
  stream.resume();
  stream.end(body);
  await new Promise((resolve) => stream.once("close", resolve));
  const last = found.find((seen) => seen["grpc-status"] !== undefined);
  return { status: Number(last?.["grpc-status"] ?? -1), message: decodeURI(String(last?.["grpc-message"] ?? "")) };
}
