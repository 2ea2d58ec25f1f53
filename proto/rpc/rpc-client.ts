/** The typed client: one function a method, typed from the generated service. */
import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import { callError } from "./call-error.ts";
import type { Channel } from "./channel.ts";
import { ClientCall } from "./client-call.ts";
import { pathOf } from "./handlers.ts";
import { isAsyncIterable, SourceReader } from "./source-reader.ts";
import { decode, encode } from "./wire.ts";

/** A call with one answer has a deadline; one that streams its answers only when it is given one. */
const UNARY = { timeoutMs: 15_000 };

export interface CallOptions {
  /** Cancels the call, here and at the server. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Names in lower case, ASCII values. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * A method as its caller sees it. A response stream starts with its first `next()`; leaving its loop cancels the call. When
 * it ends in an error, a reader that lags may miss the messages just before it: what must not be lost is acknowledged.
 */
type ClientMethod<M extends DescMethod> = {
  unary: (request: MessageInitShape<M["input"]>, options?: CallOptions) => Promise<MessageShape<M["output"]>>;
  server_streaming: (
    request: MessageInitShape<M["input"]>,
    options?: CallOptions,
  ) => AsyncIterable<MessageShape<M["output"]>>;
  client_streaming: (
    requests: AsyncIterable<MessageInitShape<M["input"]>>,
    options?: CallOptions,
  ) => Promise<MessageShape<M["output"]>>;
  bidi_streaming: (
    requests: AsyncIterable<MessageInitShape<M["input"]>>,
    options?: CallOptions,
  ) => AsyncIterable<MessageShape<M["output"]>>;
}[M["methodKind"]];

export type Client<S extends DescService> = { readonly [K in keyof S["method"]]: ClientMethod<S["method"][K]> };

/** Every method rejects with an HpsError: the server's, or one that names the address when it was not reached. */
export function client<S extends DescService>(service: S, channel: Channel): Client<S> {
  const methods = Object.values(service.method).map((method) => [method.localName, callable(channel, method)]);
  // Wire boundary: each function was made for its method's kind just above.
  return Object.fromEntries(methods) as Client<S>;
}

function callable(channel: Channel, method: DescMethod) {
  const takesStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const givesStream = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const responses = (argument: unknown, options: CallOptions = {}) => {
    const requests = takesStream && isAsyncIterable(argument) ? argument : only(argument);
    return exchange({ channel, method, requests, options: { ...(!givesStream && UNARY), ...options } });
  };
  const response = (argument: unknown, options?: CallOptions) => onlyOne(method, responses(argument, options));
  return givesStream ? responses : response;
}

async function* only(request: unknown): AsyncGenerator<unknown, void> {
  yield request;
}

async function onlyOne(method: DescMethod, responses: AsyncIterable<unknown>): Promise<unknown> {
  const all: unknown[] = [];
  for await (const response of responses) {
    all.push(response);
    if (all.length > 1) {
      break;
    }
  }
  if (all.length !== 1) {
    throw new HpsError("internal", `${method.name}: the server did not give exactly one answer`);
  }
  return all[0];
}

interface Exchange {
  readonly channel: Channel;
  readonly method: DescMethod;
  readonly requests: AsyncIterable<unknown>;
  readonly options: CallOptions;
}

/** All four kinds: requests go up while responses come down. */
async function* exchange({ channel, method, requests, options }: Exchange): AsyncGenerator<unknown, void> {
  const { signal } = options;
  if (signal?.aborted) {
    throw cancelled(method, signal);
  }
  const source = new SourceReader(requests);
  const call = startCall({ channel, method, options, onEnd: () => source.stop() });
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  const sending = sendAll(call, method, source);
  try {
    for (let bytes = await call.read(); bytes !== undefined; bytes = await call.read()) {
      yield decode(method.output, bytes);
    }
  } catch (error) {
    call.cancel();
    const failure = await sending;
    throw failure?.error ?? (signal?.aborted ? cancelled(method, signal) : error);
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}

/** Gives the failure of the source, which cancels the call. Stops quietly when the call ends first. */
async function sendAll(
  call: ClientCall,
  method: DescMethod,
  source: SourceReader<unknown>,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    for (let item = await source.next(); item !== undefined; item = await source.next()) {
      // Wire boundary: the caller's types were checked by `Client`.
      await call.write(encode(method.input, item.value as MessageInitShape<typeof method.input>));
    }
    call.halfClose();
    return undefined;
  } catch (error) {
    call.cancel();
    return { error };
  }
}

interface Start extends Omit<Exchange, "requests"> {
  readonly onEnd: () => void;
}

function startCall({ channel, method, options, onEnd }: Start): ClientCall {
  const { timeoutMs } = options;
  return new ClientCall(channel, {
    path: pathOf(method),
    metadata: metadataOf(channel, options),
    onEnd,
    errorOf: (status) => callError(status, method.name, channel.address),
    ...(timeoutMs !== undefined && { deadline: new Date(Date.now() + timeoutMs) }),
  });
}

function metadataOf(channel: Channel, options: CallOptions): Metadata {
  const metadata = new Metadata();
  try {
    for (const [name, value] of Object.entries({ ...options.metadata, "hps-version": channel.version })) {
      metadata.set(name, value);
    }
  } catch (cause) {
    throw new HpsError("invalid", "the call's metadata has a name or value that cannot be sent", { cause });
  }
  return metadata;
}

function cancelled(method: DescMethod, signal: AbortSignal): HpsError {
  return new HpsError("cancelled", `${method.name} was cancelled`, { cause: signal.reason });
}
