import { createHash } from "node:crypto";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { TLSSocket } from "node:tls";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { identityText } from "../../certs/identity.ts";
import { makeChain, makePeer, PEERS, type TestChain } from "../../certs/test-chain.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import type { FileRef } from "../link/file-request.ts";

/** What becomes of one request: answered, or, after so many bytes of its answer, cut or left hanging. */
export type FileFate = { readonly after: number; readonly end: "cut" | "hang" } | { readonly status: number } | "whole";

/** hpsd's HTTPS files in a test: real TLS, client certificates, ranges. */
export class FileDoor {
  readonly files = new Map<string, Buffer>();
  /** `PATH RANGE PEER` of each request. */
  readonly asks: string[] = [];
  /** Connections that came with a request. */
  readonly sockets = new Set<object>();
  /** Cipher suites that were agreed on. */
  readonly ciphers = new Set<string>();
  fate: (before: number) => FileFate = () => "whole";
  ignoreRange = false;
  readonly #chain: TestChain;
  #server: Server | undefined;
  #port = 0;

  private constructor(chain: TestChain) {
    this.#chain = chain;
  }

  static async open(): Promise<FileDoor> {
    const door = new FileDoor(await makeChain());
    await door.listen();
    return door;
  }

  /** On the port it had before, if any. */
  async listen(): Promise<void> {
    const tls = { ...(await this.serverPair()), ca: this.#chain.root.certificate.toString() };
    this.#server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (request, response) => {
      const peer = request.socket instanceof TLSSocket ? request.socket.getPeerX509Certificate() : undefined;
      const name = peer === undefined ? "nobody" : identityText(certificateIdentity(peer).identity);
      this.sockets.add(request.socket);
      if (request.socket instanceof TLSSocket) this.ciphers.add(request.socket.getCipher().name);
      this.asks.push(`${request.url} ${request.headers.range ?? "-"} ${name}`);
      this.#answer(request.url ?? "", request.headers.range, response);
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  add(content: Buffer): FileRef {
    const digest = createHash("sha256").update(content).digest("hex");
    this.files.set(`/files/v1/${digest}`, content);
    return { digest, sizeBytes: content.length };
  }

  /** PEM of a server whom this door's agents know, at localhost. */
  async serverPair(): Promise<{ readonly key: string; readonly cert: string }> {
    const intermediates = [this.#chain.intermediate.certificate];
    return tlsKeyPair({ ...(await makePeer(this.#chain, PEERS.server)), intermediates });
  }

  /** An installer's identity for this door. */
  async identity() {
    const peer = await makePeer(this.#chain, PEERS.installer);
    const contact = {
      grpc: parseEndpoint(`localhost:${this.#port}`),
      https: parseHttpsUrl(`https://localhost:${this.#port}`),
      trustDomain: parseDomainName("example.org"),
      rootCertificate: this.#chain.root.certificate.toString(),
    };
    return { contact, credentials: { ...peer, intermediates: [this.#chain.intermediate.certificate] } };
  }

  #answer(path: string, range: string | undefined, response: ServerResponse): void {
    const fate = this.fate(this.asks.length - 1);
    const content = this.files.get(path);
    if (content === undefined || (fate !== "whole" && "status" in fate)) {
      const status = fate !== "whole" && "status" in fate ? fate.status : 404;
      response.writeHead(status).end('{"message":"no such file here"}');
      return;
    }
    const wanted = this.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
    const [from, to] = [Number(wanted?.[1] ?? 0), Number(wanted?.[2] || content.length - 1)];
    const body = content.subarray(from, to + 1);
    const headers = {
      "content-length": body.length,
      "content-range": `bytes ${from}-${to}/${content.length}`,
    };
    response.writeHead(wanted === null ? 200 : 206, headers);
    if (fate === "whole") response.end(body);
    else response.write(body.subarray(0, fate.after), () => fate.end === "cut" && response.socket?.destroy());
  }
}
