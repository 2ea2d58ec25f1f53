/** What a service looks like to the code that implements it: one function a method, typed from the generated service. */
import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { HpsError } from "../values/hps-error.ts";

/** Who is at the other end of the connection, as the transport saw it: nothing here is verified. */
export interface Peer {
  /** IP address; an IPv4 address is never in its IPv6-mapped form. */
  readonly address: string;
  /** DER, leaf first, as the peer presented it; empty when it presented none. Proof of the key, not of any trust. */
  readonly certificateChain: readonly Buffer[];
}

/** A call before it is let in. */
export interface IncomingCall {
  /** `/package.Service/Method` as the peer wrote it: hostile text unless `method` is set. */
  readonly path: string;
  /** Absent when this server has no such method. */
  readonly method?: DescMethod;
  readonly peer: Peer;
  /** Text metadata, names in lower case; of a repeated name the first value. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Aborted with an HpsError when the call ends before it is answered. */
  readonly signal: AbortSignal;
}

/** A call that was let in, as its handler sees it. */
export interface CallContext<P> extends IncomingCall {
  readonly method: DescMethod;
  /** What `authorize` made of the peer. */
  readonly principal: P;
  readonly deadline?: Date;
  /** Ends the call now with this status, whatever its handler is doing. */
  readonly end: (reason: HpsError) => void;
}

/** A method as its handler: a stream on either side is an AsyncIterable. */
export type Handler<M extends DescMethod, P> = {
  unary: (request: MessageShape<M["input"]>, ctx: CallContext<P>) => Promise<MessageInitShape<M["output"]>>;
  server_streaming: (
    request: MessageShape<M["input"]>,
    ctx: CallContext<P>,
  ) => AsyncIterable<MessageInitShape<M["output"]>>;
  client_streaming: (
    requests: AsyncIterable<MessageShape<M["input"]>>,
    ctx: CallContext<P>,
  ) => Promise<MessageInitShape<M["output"]>>;
  bidi_streaming: (
    requests: AsyncIterable<MessageShape<M["input"]>>,
    ctx: CallContext<P>,
  ) => AsyncIterable<MessageInitShape<M["output"]>>;
}[M["methodKind"]];

/** All methods of a service, by their local name (`getHost`). */
export type Handlers<S extends DescService, P = unknown> = {
  readonly [K in keyof S["method"]]: Handler<S["method"][K], P>;
};

/** `/package.Service/Method`, as it stands in the request line. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
