/** The gRPC server: services with typed handlers, one gate before them all, one rule for errors. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectionInjector,
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
} from "@grpc/grpc-js";
import { callAt, settlesWithin } from "../flow/time-limit.ts";
import { type ErrorCode, HpsError } from "../values/hps-error.ts";
import { ActiveCalls, type AdmittedCall } from "./active-calls.ts";
import { admit, endWith, type Incident, textOf } from "./call-gate.ts";
import { type Handlers, type IncomingCall, pathOf } from "./handlers.ts";
import { catchUnknownMethods, peerOf, streamOf, widenWindow } from "./http2-stream.ts";
import { Listener, type ServerCertificate } from "./listener.ts";
import { type AnyHandler, runMethod } from "./method-runner.ts";
import { ServerCall } from "./server-call.ts";
import { DEFAULT_LIMITS, type RpcServerLimits, transportOptions } from "./server-limits.ts";

/** One ended call; `method` is "unknown" for one this server does not have. */
export interface CallObservation {
  readonly method: string;
  readonly code: ErrorCode | "ok";
  readonly durationMs: number;
}

export interface RpcServerOptions<P> {
  /** Decides for every call, known method or not, before a byte of its request is read: gives a principal, or throws. */
  readonly authorize: (call: IncomingCall) => Promise<P>;
  /** When the principal's right ends: its calls end then, with `unauthenticated`. */
  readonly expiry?: (principal: P) => Date | undefined;
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

/** The part of the grace left to connections after their calls have ended. */
const CLOSING_SHARE = 0.2;

/** A call as the transport gave it. */
interface Arrival {
  readonly call: ServerCall;
  readonly path: string;
  readonly raw: ServerInterceptingCallInterface;
  readonly entry: Entry | undefined;
  readonly metadata: Metadata;
}

const bytes = (buffer: Buffer) => buffer;

export class RpcServer<P> {
  readonly #options: RpcServerOptions<P>;
  readonly #limits: RpcServerLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #active = new ActiveCalls<P>();
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  #listeners: readonly Listener[] = [];
  #stopped: Promise<void> | undefined;

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

  /** Accepts no more connections; open ones stay, with their calls. Before `stop`. */
  refuseConnections(): void {
    for (const listener of this.#listeners) listener.close();
  }

  get activeCalls(): number {
    return this.#active.size;
  }

  get connections(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.connections, 0);
  }

  /** Ends the calls that fit, with this status; also those `authorize` is deciding now, should they turn out to fit. */
  endCalls(which: (call: AdmittedCall<P>) => boolean, reason: HpsError): void {
    this.#active.end(which, reason);
  }

  /** Tells streams to go (`unavailable`), lets unary calls finish, closes; after `graceMs` nothing is left of either. */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    for (const listener of this.#listeners) {
      listener.close();
    }
    this.#injector.drain(graceMs);
    this.#active.endStreams(stoppingError());
    await settlesWithin(this.#active.idle(), graceMs * (1 - CLOSING_SHARE));
    this.#active.endAll(stoppingError());
    const emptied = Promise.all(this.#listeners.map((listener) => listener.emptied()));
    await settlesWithin(emptied, graceMs * CLOSING_SHARE);
    for (const listener of this.#listeners) {
      listener.destroyConnections();
    }
    await emptied;
    this.#grpc.forceShutdown();
  }

  #accept(path: string, raw: ServerInterceptingCallInterface): void {
    const entry = this.#entries.get(path);
    const startedAt = performance.now();
    const onEnd = (code: ErrorCode | "ok") => {
      this.#active.remove(call);
      const method = entry === undefined ? "unknown" : path;
      this.#options.onCall?.({ method, code, durationMs: performance.now() - startedAt });
    };
    const call = new ServerCall(raw, { onEnd, flushMs: this.#limits.flushMs });
    call.start((metadata) => {
      this.#active.add(call, entry?.method);
      void this.#serve({ call, path, raw, entry, metadata });
    });
  }

  async #serve({ call, path, raw, entry, metadata }: Arrival): Promise<void> {
    let stopClock: (() => void) | undefined;
    try {
      if (this.#stopped !== undefined) {
        throw stoppingError();
      }
      const known = { path, metadata: textOf(metadata), signal: call.signal, ...(entry && { method: entry.method }) };
      const incoming: IncomingCall = { ...known, peer: peerOf(streamOf(raw)) };
      const principal = await admit(this.#options.authorize, incoming, this.#limits.authorizeMs);
      if (entry === undefined) {
        throw new HpsError("unimplemented", "this server has no such method");
      }
      const { method } = entry;
      this.#active.admit(call, { method, principal, peer: incoming.peer });
      if (method.methodKind === "bidi_streaming") widenWindow(streamOf(raw), this.#limits.windowBytes);
      stopClock = this.#watchExpiry(call, principal);
      const { deadline } = call;
      const ctx = {
        ...incoming,
        method,
        principal,
        end: (reason: HpsError) => call.end(reason),
        ...(deadline && { deadline }),
      };
      await runMethod({ call, handler: entry.handler, ctx, requestMs: this.#limits.requestMs });
      call.complete();
    } catch (error) {
      this.#fail(call, path, error);
    } finally {
      stopClock?.();
    }
  }

  #watchExpiry(call: ServerCall, principal: P): (() => void) | undefined {
    const expiry = this.#options.expiry?.(principal);
    return expiry && callAt(expiry, () => call.end(new HpsError("unauthenticated", "the certificate has expired")));
  }

  #fail(call: ServerCall, method: string, error: unknown): void {
    const incident = endWith(call, error);
    if (incident !== undefined) {
      this.#options.onError({ id: incident.incidentId, method, error });
    }
  }
}

/** Never called: the interceptor takes each call before grpc-js would. */
function neverCalled(): void {}

function stoppingError(): HpsError {
  return new HpsError("unavailable", "server is stopping", { hint: "try again, at another server or later" });
}
