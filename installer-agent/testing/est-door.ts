import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { createServer, type Server } from "node:https";
import { TLSSocket } from "node:tls";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { readRequest } from "../../certs/csr.ts";
import { issue } from "../../certs/issue.ts";
import { publicKeyDigest } from "../../certs/key.ts";
import { certificatesBody } from "../../certs/pkcs7.ts";
import { ID, makePeer, PEERS, type TestChain } from "../../certs/test-chain.ts";

export interface EstAsk {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Digest of the key in the request. */
  readonly key: string;
  /** Of the client certificate. */
  readonly peer?: X509Certificate;
}

export interface EstReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Breaks the connection instead of answering. */
  readonly cut?: boolean;
}

/** The EST door of a test: real TLS, real certificates. */
export class EstDoor {
  readonly asks: EstAsk[] = [];
  /** Answers instead of issuing, when it gives something; told how many asks came before. */
  answer: (ask: EstAsk, before: number) => EstReply | undefined = () => undefined;
  lifetime = 3_600_000;
  /** How long ago, in milliseconds, the next certificate is issued. */
  age = 0;
  readonly #chain: TestChain;
  #server: Server | undefined;

  constructor(chain: TestChain) {
    this.#chain = chain;
  }

  async listen(): Promise<number> {
    const server = await makePeer(this.#chain, PEERS.server);
    const pair = tlsKeyPair({ ...server, intermediates: [this.#chain.intermediate.certificate] });
    this.#server = createServer(
      { ...pair, requestCert: true, rejectUnauthorized: false },
      async (request, response) => {
        const body = Buffer.concat(await request.toArray());
        const raw = request.socket instanceof TLSSocket ? request.socket.getPeerX509Certificate() : undefined;
        const publicKey = readRequest(body);
        const ask: EstAsk = {
          path: request.url ?? "",
          headers: request.headers,
          key: publicKeyDigest(publicKey),
          ...(raw && { peer: raw }),
        };
        this.asks.push(ask);
        const reply = this.answer(ask, this.asks.length - 1) ?? {
          status: 200,
          body: certificatesBody(await this.#issue(ask, publicKey)),
        };
        if (reply.cut === true) request.socket.destroy();
        else response.writeHead(reply.status, reply.headers).end(reply.body ?? "");
      },
    );
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  async #issue(ask: EstAsk, publicKey: X509Certificate["publicKey"]): Promise<X509Certificate[]> {
    const { intermediate } = this.#chain;
    const identity =
      ask.peer === undefined ? { kind: "installer" as const, id: ID } : certificateIdentity(ask.peer).identity;
    const certificate = await issue(intermediate, {
      identity,
      publicKey,
      now: Date.now() - this.age,
      lifetime: this.lifetime,
    });
    return [certificate, intermediate.certificate];
  }
}
