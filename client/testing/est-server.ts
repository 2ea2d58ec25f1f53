/** The operators' side of hpsd's EST, as tests need it: one invitation, certificates for whoever proves a key. */
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { TLSSocket } from "node:tls";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { readRequest } from "../../certs/csr.ts";
import { issue } from "../../certs/issue.ts";
import { certificatesBody } from "../../certs/pkcs7.ts";
import { DAY, makePeer, PEERS, type TestChain } from "../../certs/test-chain.ts";

export interface EstServer {
  readonly url: string;
  /** `METHOD path authorization certificate`, `-` for what was not given. */
  readonly asked: readonly string[];
  readonly stop: () => void;
}

/** `secret` logs in, any number of times; `identity` is whom the certificates name. */
export async function startEstServer(
  chain: TestChain,
  secret: string,
  identity: (typeof PEERS)[keyof typeof PEERS] = PEERS.operator,
): Promise<EstServer> {
  const peer = await makePeer(chain, PEERS.server);
  const asked: string[] = [];
  const { key, cert } = tlsKeyPair({ ...peer, intermediates: [chain.intermediate.certificate] });
  const ca = chain.root.certificate.toString();
  const server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    void answer(request).then(
      ({ status, body }) => response.writeHead(status).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: string }> => {
    const { method, url, headers, socket } = request;
    const known = socket instanceof TLSSocket && socket.authorized;
    asked.push(`${method} ${url} ${headers.authorization ?? "-"} ${known ? "certificate" : "-"}`);
    const chainOf = [chain.intermediate.certificate, chain.root.certificate];
    if (url === "/.well-known/est/cacerts") return { status: 200, body: certificatesBody(chainOf) };
    const basic = `Basic ${Buffer.from(`operator:${secret}`).toString("base64")}`;
    const allowed = url?.endsWith("/simpleenroll") ? headers.authorization === basic : known;
    if (!allowed)
      return {
        status: 401,
        body: JSON.stringify({ code: "unauthenticated", message: "this invitation is spent", hint: "ask again" }),
      };
    const body = Buffer.concat(await Array.fromAsync(request));
    const names = identity.kind === "server" ? { dnsNames: ["localhost"] } : {};
    const publicKey = readRequest(body);
    const certificate = await issue(chain.intermediate, {
      identity,
      publicKey,
      now: Date.now(),
      lifetime: DAY,
      ...names,
    });
    return { status: 200, body: certificatesBody([certificate, ...chainOf]) };
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return { url: `https://localhost:${port}`, asked, stop: () => server.close() };
}
