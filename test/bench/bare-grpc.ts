/** The server compared with: grpc-js as its documentation shows it, over mTLS, doing nothing but answering. */
import { readFileSync } from "node:fs";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";

const [file = ""] = process.argv.slice(2);
/** PEM texts, as `BareCredentials` has them. */
const { ca, key, cert } = JSON.parse(readFileSync(file, "utf8"));
const bytes = (message: Buffer) => message;

const method = (path: string, stream: boolean) => ({
  ...{ path, requestStream: stream, responseStream: stream },
  ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
});

const answers = new Map<number, Buffer>();

/** The request says, in four bytes, how long the answer is to be. */
function answer({ request }: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
  const size = request.readUInt32BE(0);
  const known = answers.get(size) ?? Buffer.alloc(size, 7);
  answers.set(size, known);
  callback(null, known);
}

/** Answers what is longer than a heartbeat. */
function exchange(call: ServerDuplexStream<Buffer, Buffer>): void {
  call.on("data", (message: Buffer) => {
    if (message.length > 8) call.write(message);
  });
  call.on("error", () => undefined);
  call.on("end", () => call.end());
}

const server = new Server({ "grpc.max_concurrent_streams": 128 });
server.addService(
  { unary: method("/bare.Bare/Unary", false), exchange: method("/bare.Bare/Exchange", true) },
  { unary: answer, exchange },
);
const credentials = ServerCredentials.createSsl(
  Buffer.from(ca),
  [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }],
  true,
);
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error !== null) throw error;
  console.log(`bare is ready: ${port}`);
});
