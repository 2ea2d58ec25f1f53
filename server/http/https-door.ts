import { constants } from "node:crypto";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import rateLimit from "@fastify/rate-limit";
import fastify, { type FastifyInstance } from "fastify";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { limitConnections } from "../../proto/rpc/connection-limit.ts";
import { groupOf } from "../../proto/rpc/listener.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { answerError, type HttpIncident } from "./error-answer.ts";
import { addressOf } from "./peer.ts";

/** PEM, leaf first. */
export interface DoorCertificate {
  readonly key: string;
  readonly chain: string;
}

export type DoorApp = FastifyInstance<Server>;

export interface HttpsDoorOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly certificate: DoorCertificate;
  /** What is served: each adds its routes. */
  readonly routes: readonly ((app: DoorApp) => void)[];
  /** Must not throw. */
  readonly onError: (incident: HttpIncident) => void;
  readonly limits?: Partial<DoorLimits>;
}

interface DoorLimits {
  readonly connections: number;
  /** Of one IPv4 address or one IPv6 /64, as for the requests in a minute. */
  readonly connectionsPerAddress: number;
  readonly handshakeMs: number;
  /** For a whole request to arrive. */
  readonly requestMs: number;
  /** For a connection on which nothing moves: also one whose peer does not read its answer. */
  readonly idleMs: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  /** Requests of one address in a minute to a route that asks to be limited, and to addresses where nothing is. */
  readonly perMinute: number;
}

const LIMITS: DoorLimits = {
  connections: 4096,
  connectionsPerAddress: 256,
  handshakeMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  headerBytes: 16 * 1024,
  bodyBytes: 64 * 1024,
  perMinute: 60,
};

/** HTTPS for those without gRPC: enrolment, metrics, later images and the dashboard. */
export class HttpsDoor {
  readonly #app: DoorApp;
  readonly #open = new Set<Socket>();
  readonly port: number;

  private constructor(app: DoorApp, port: number) {
    this.#app = app;
    this.port = port;
    app.server.on("connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
  }

  /** `unavailable` when the address cannot be had. */
  static async open(options: HttpsDoorOptions): Promise<HttpsDoor> {
    const app = await makeApp(options, { ...LIMITS, ...options.limits });
    try {
      await app.listen({ host: options.host, port: options.port });
    } catch (cause) {
      throw new HpsError("unavailable", `cannot listen on ${options.host} port ${options.port}`, { cause });
    }
    const address = app.server.address();
    return new HttpsDoor(app, typeof address === "object" && address !== null ? address.port : options.port);
  }

  /** For new connections; open ones stay. */
  replaceCertificate(certificate: DoorCertificate): void {
    this.#app.server.setSecureContext(contextOf(certificate));
  }

  /** Lets requests finish; after `graceMs` nothing is left of them. */
  async close(graceMs: number): Promise<void> {
    const closed = this.#app.close();
    if (await settlesWithin(Promise.resolve(closed), graceMs)) return;
    // The server's own list lacks peers that have not finished their handshake, and would wait for them.
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}

/** TLS 1.3 alone and no session is kept, as on the gRPC port: a resumed one carries a certificate nobody looked at. */
function contextOf({ key, chain }: DoorCertificate) {
  return { key, cert: chain, minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET } as const;
}

async function makeApp(options: HttpsDoorOptions, limits: DoorLimits): Promise<DoorApp> {
  const app: DoorApp = fastify({
    https: {
      ...contextOf(options.certificate),
      requestCert: true,
      // Judged for each request, against the store: one without a certificate may still read the trust anchors.
      rejectUnauthorized: false,
      handshakeTimeout: limits.handshakeMs,
      maxHeaderSize: limits.headerBytes,
    },
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: 10_000,
    forceCloseConnections: "idle",
    trustProxy: false,
    // An address that is none never gets to the handlers below.
    frameworkErrors: (error, request, reply) => void answerError(request, reply, error, options.onError),
  });
  limitConnections(app.server, limits);
  // Before any route: the defaults show the text of whatever was thrown.
  app.setErrorHandler((error, request, reply) => answerError(request, reply, error, options.onError));
  const nothing = () => {
    throw new HpsError("not-found", "there is nothing at this address");
  };
  const tooMany = () => new HpsError("exhausted", "too many requests", { hint: "wait a minute" });
  await app.register(rateLimit, {
    global: false,
    max: limits.perMinute,
    timeWindow: 60_000,
    cache: 10_000,
    keyGenerator: (request) => groupOf(addressOf(request)),
    errorResponseBuilder: tooMany,
  });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, nothing);
  app.removeAllContentTypeParsers();
  for (const add of options.routes) await app.register(inScope(add));
  return app;
}

/** A plugin of its own, so that what one adds (a body parser, say) is not the others'. */
export function inScope(
  add: HttpsDoorOptions["routes"][number],
): (scope: DoorApp, options: object, done: () => void) => void {
  return (scope, _options, done) => {
    add(scope);
    done();
  };
}
