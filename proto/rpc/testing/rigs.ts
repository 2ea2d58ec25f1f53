/** Rigs of one test file, all stopped after each test. */
import { afterEach } from "vitest";
import type { RpcServerOptions } from "../rpc-server.ts";
import { type EchoHandlers, type Rig, startRig } from "./echo-rig.ts";

export type StartRig = (handlers?: Partial<EchoHandlers>, options?: Partial<RpcServerOptions<string>>) => Promise<Rig>;

export function useRigs(): StartRig {
  const rigs: Rig[] = [];
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.stop()));
  });
  return async (handlers, options) => {
    const rig = await startRig(handlers, options);
    rigs.push(rig);
    return rig;
  };
}

/** The error of a promise that must reject. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
  }
  return items;
}

/** Requests with these counts. */
export async function* requests(...counts: readonly number[]): AsyncGenerator<{ count: number }, void> {
  for (const count of counts) {
    yield { count };
  }
}

/** A stream that never gives anything and hears no signal. */
export function silence(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
}

/** Resolves when the signal is aborted, with its reason. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(signal.reason);
    }
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
}
