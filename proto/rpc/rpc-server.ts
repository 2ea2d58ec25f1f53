/** The gRPC server: services with typed handlers, one gate before them all, one rule for errors. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerOptions,
} from "@grpc/grpc-js";
import { type ErrorCode, HpsError } from "../values/hps-error.ts";
import { admit, endWith, type Incident, textOf } from "./call-gate.ts";
import { type Handlers, type IncomingCall, pathOf } from "./handlers.ts";
import { catchUnknownMethods, peerOf, streamOf } from "./http2-stream.ts";
import { Listener, type ListenerLimits, type ServerCertificate } from "./listener.ts";
import { type AnyHandler, runMethod } from "./method-runner.ts";
import { ServerCall } from "./server-call.ts";
import { settlesWithin } from "./time-limit.ts";
import { MAX_MESSAGE_BYTES } from "./wire.ts";

/** One ended call; `method` is "unknown" for one this server does not have. */
export interface CallObservation {
  readonly method: string;
  readonly code: ErrorCode | "ok";
  readonly durationMs: number;
}

export interface RpcServerLimits extends ListenerLimits {
  /** Calls at one time on one connection. */
  readonly streams: number;
  /** For `authorize` to decide. */
  readonly authorizeMs: number;
}

export interface RpcServerOptions<P> {
  /** Decides for every call, known method or not, before a byte of its request is read: gives a principal, or throws. */
  readonly authorize: (call: IncomingCall) => Promise<P>;
  /** Must not throw. */
  readonly onError: (incident: Incident) => void;
  /** Called once for each ended call; must not throw. */
  readonly onCall?: (observation: CallObservation) => void;
  readonly limits?: Partial<RpcServerLimits>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly certificate: ServerCertificate;
}

interface Entry {
  readonly method: DescMethod;
  readonly handler: AnyHandler;
}

const DEFAULT_LIMITS: RpcServerLimits = {
  connections: 20_000,
  connectionsPerAddress: 256,
  handshakeMs: 10_000,
  streams: 128,
  authorizeMs: 10_000,
};

/** The part of the grace left to connections after their calls have ended. */
const CLOSING_SHARE = 0.2;

const bytes = (buffer: Buffer) => buffer;

export class RpcServer<P> {
  readonly #options: RpcServerOptions<P>;
  readonly #limits: RpcServerLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #active = new Map<ServerCall, Entry | undefined>();
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  #listeners: readonly Listener[] = [];
  #onIdle: (() => void) | undefined;
  #stopping = false;

  constructor(options: RpcServerOptions<P>) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#grpc = new Server({
      ...transportOptions(this.#limits),
      interceptors: [({ path }, call) => new ServerInterceptingCall(call, { start: () => this.#accept(path, call) })],
    });
    catchUnknownMethods(this.#grpc, (path) => ({
      func: neverCalled,
      serialize: bytes,
      deserialize: bytes,
      type: "bidi",
      path,
    }));
    // TLS is our listener's: what it hands over is already decrypted.
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Throws when a method has no handler, or the service is already there. */
  add<S extends DescService>(service: S, handlers: Handlers<S, P>): this {
    for (const method of Object.values(service.method)) {
      const handler: unknown = Reflect.get(handlers, method.localName);
      const path = pathOf(method);
      if (typeof handler !== "function") {
        throw new HpsError("internal", `no handler implements ${path}`);
      }
      if (!this.#grpc.register(path, neverCalled, bytes, bytes, "bidi")) {
        throw new HpsError("internal", `${path} has two handlers`);
      }
      this.#entries.set(path, { method, handler: (request, ctx) => Reflect.apply(handler, handlers, [request, ctx]) });
    }
    return this;
  }

  /** Every method this server answers, for a walk over all of them. */
  get methods(): readonly DescMethod[] {
    return [...this.#entries.values()].map((entry) => entry.method);
  }

  /** Resolves with the port. May be called again for another address. */
  async listen(options: ListenOptions): Promise<number> {
    const onConnection = (socket: Parameters<ConnectionInjector["injectConnection"]>[0]) =>
      this.#injector.injectConnection(socket);
    const listener = new Listener({ ...options, limits: this.#limits, onConnection });
    const port = await listener.listen();
    this.#listeners = [...this.#listeners, listener];
    return port;
  }

  /** For new connections on every listener; open ones stay. Throws `invalid` when key and chain cannot be used. */
  replaceCertificate(certificate: ServerCertificate): void {
    for (const listener of this.#listeners) {
      listener.replaceCertificate(certificate);
    }
  }

  get activeCalls(): number {
    return this.#active.size;
  }

  get connections(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.connections, 0);
  }

  /** Tells streams to go (`unavailable`), lets unary calls finish, closes; after `graceMs` nothing is left of either. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    for (const listener of this.#listeners) {
      listener.close();
    }
    this.#injector.drain(graceMs);
    this.#endCalls((entry) => entry === undefined || entry.method.methodKind !== "unary");
    await settlesWithin(this.#idle(), graceMs * (1 - CLOSING_SHARE));
    this.#endCalls(() => true);
    const emptied = Promise.all(this.#listeners.map((listener) => listener.emptied()));
    await settlesWithin(emptied, graceMs * CLOSING_SHARE);
    for (const listener of this.#listeners) {
      listener.destroyConnections();
    }
    await emptied;
    this.#grpc.forceShutdown();
  }

  #endCalls(which: (entry: Entry | undefined) => boolean): void {
    for (const [call, entry] of this.#active) {
      if (which(entry)) {
        call.end(stoppingError());
      }
    }
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#active.size === 0) {
      this.#onIdle?.();
    }
  }

  #accept(path: string, raw: ServerInterceptingCallInterface): void {
    const entry = this.#entries.get(path);
    const startedAt = performance.now();
    const call = new ServerCall(raw, (code) => {
      this.#active.delete(call);
      this.#checkIdle();
      const method = entry === undefined ? "unknown" : path;
      this.#options.onCall?.({ method, code, durationMs: performance.now() - startedAt });
    });
    call.start((metadata) => {
      this.#active.set(call, entry);
      void this.#serve(call, path, () => ({
        path,
        ...(entry && { method: entry.method }),
        peer: peerOf(streamOf(raw)),
        metadata: textOf(metadata),
        signal: call.signal,
      }));
    });
  }

  async #serve(call: ServerCall, path: string, makeIncoming: () => IncomingCall): Promise<void> {
    try {
      const incoming = makeIncoming();
      const entry = this.#entries.get(path);
      if (this.#stopping) {
        throw stoppingError();
      }
      const principal = await admit(this.#options.authorize, incoming, this.#limits.authorizeMs);
      if (entry === undefined) {
        throw new HpsError("unimplemented", "this server has no such method");
      }
      const { deadline } = call;
      const end = (reason: HpsError) => call.end(reason);
      const ctx = { ...incoming, method: entry.method, principal, end, ...(deadline && { deadline }) };
      await runMethod(call, entry.handler, ctx);
      call.complete();
    } catch (error) {
      const incident = endWith(call, error);
      if (incident !== undefined) {
        this.#options.onError({ id: incident.incidentId, method: path, error });
      }
    }
  }
}

/** Never called: the interceptor takes each call before grpc-js would. */
function neverCalled(): void {}

function stoppingError(): HpsError {
  return new HpsError("unavailable", "server is stopping", { hint: "try again, at another server or later" });
}

function transportOptions(limits: RpcServerLimits): ServerOptions {
  return {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": limits.streams,
    // MiB an HTTP/2 session may hold before it refuses new streams.
    "grpc-node.max_session_memory": 32,
    // A peer that vanished is noticed within 50 s; one that has asked nothing for 10 min is let go.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.max_connection_idle_ms": 600_000,
    "grpc.enable_channelz": 0,
  };
}
