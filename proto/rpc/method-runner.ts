/** Runs a handler of any of the four kinds over a ServerCall: two adapters each way. */
import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { HpsError } from "../values/hps-error.ts";
import type { CallContext } from "./handlers.ts";
import type { ServerCall } from "./server-call.ts";
import { isAsyncIterable, SourceReader } from "./source-reader.ts";
import { decode, encode, type Frame } from "./wire.ts";

/** A handler when its types are no longer known: `Handlers` checked them where the service was added. */
export type AnyHandler = (request: unknown, ctx: CallContext<unknown>) => unknown;

export interface MethodRun {
  readonly call: ServerCall;
  readonly handler: AnyHandler;
  readonly ctx: CallContext<unknown>;
  /** For the one request of a unary or server streaming call to arrive. */
  readonly requestMs: number;
}

/** Runs the handler and writes what it gives; the caller sends the status. */
export async function runMethod({ call, handler, ctx, requestMs }: MethodRun): Promise<void> {
  const { method } = ctx;
  // It may have ended while it was being let in: then its handler is not to run.
  ctx.signal.throwIfAborted();
  const takesStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const givesStream = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const request = takesStream ? requestsOf(call, method) : await onlyRequest(call, method, requestMs);
  const result = handler(request, ctx);
  if (givesStream) {
    await writeAll(call, method, result);
  } else {
    await call.write(encodeResult(method, await result));
  }
}

async function onlyRequest(call: ServerCall, method: DescMethod, requestMs: number): Promise<unknown> {
  const late = () => call.end(new HpsError("deadline", `the request of ${method.name} did not arrive in time`));
  const timer = setTimeout(late, requestMs);
  try {
    const bytes = await call.read();
    if (bytes === undefined || (await call.read()) !== undefined) {
      throw new HpsError("invalid", `${method.name} takes exactly one request`);
    }
    return decode(method.input, bytes);
  } finally {
    clearTimeout(timer);
  }
}

/** No `return`: a handler may leave its loop and read on later, and its answer is not lost. */
function requestsOf(call: ServerCall, method: DescMethod): AsyncIterable<unknown> {
  let last: Promise<unknown> = Promise.resolve();
  const readOne = async (): Promise<IteratorResult<unknown>> => {
    const bytes = await call.read();
    return bytes === undefined ? { done: true, value: undefined } : { done: false, value: decode(method.input, bytes) };
  };
  const next = () => {
    const result = last.then(readOne);
    last = result.catch(() => undefined);
    return result;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function writeAll(call: ServerCall, method: DescMethod, source: unknown): Promise<void> {
  if (!isAsyncIterable(source)) {
    throw new TypeError(`the handler of ${method.name} gave no stream`);
  }
  const reader = new SourceReader(source);
  const stop = () => reader.stop();
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      await call.write(encodeResult(method, item.value));
    }
  } finally {
    call.signal.removeEventListener("abort", stop);
    stop();
  }
}

function encodeResult(method: DescMethod, value: unknown): Frame {
  // Wire boundary: the method's types were checked where its service was added.
  return encode(method.output, value as MessageInitShape<typeof method.output>);
}
