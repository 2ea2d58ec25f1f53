/**
 * The C library of this process, through koffi's native half: it needs no compiler and no file of the target system.
 * koffi's JavaScript is left out, so that a bundle needs one more file and nothing else.
 */
import { createRequire } from "node:module";
import { HpsError } from "../../values/hps-error.ts";

/** An argument of a C function: numbers and bytes; a pointer argument takes null too. */
type Argument = number | bigint | Uint8Array | null;

interface Koffi {
  load(library: null): { func(prototype: string): KoffiFunction };
  errno(): number;
}

interface KoffiFunction {
  (...values: Argument[]): number;
  /** On a thread of libuv's pool; the last argument is called with what came of it. */
  async(...values: [...Argument[], (error: unknown, result: number) => void]): void;
}

/** The file that a bundle which uses `proto/tree` needs beside it. */
export const NATIVE_FILE = "koffi.node";

const fromHere = createRequire(import.meta.url);

function loadKoffi(): Koffi {
  const tried: unknown[] = [];
  for (const from of [`./${NATIVE_FILE}`, `@koromix/koffi-linux-${process.arch}`]) {
    try {
      return fromHere(from);
    } catch (error) {
      tried.push(error);
    }
  }
  throw new HpsError("unavailable", "this program was installed without its native calls", {
    hint: `put ${NATIVE_FILE} of the package @koromix/koffi-linux-${process.arch} beside it`,
    cause: new AggregateError(tried),
  });
}

/**
 * Where the native file lies in this installation, for whoever copies a program to another place: ship it as `NATIVE_FILE`
 * beside the bundle. `not-found` when this installation has none.
 */
export function nativeFilePath(): string {
  for (const from of [
    `./${NATIVE_FILE}`,
    `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/${NATIVE_FILE}`,
  ]) {
    try {
      return fromHere.resolve(from);
    } catch {}
  }
  throw new HpsError("not-found", `no package @koromix/koffi-linux-${process.arch} is installed`, {
    hint: "run npm install",
  });
}

let koffi: Koffi | undefined;

function loaded(): Koffi {
  koffi ??= loadKoffi();
  return koffi;
}

/** A function of the C library, looked up at its first call; gives what C gives, mostly -1 for "see errno". */
export function cFunction(prototype: string): (...values: Argument[]) => number {
  let found: ((...values: Argument[]) => number) | undefined;
  return (...values) => {
    found ??= loaded().load(null).func(prototype);
    return found(...values);
  };
}

/** The same while this thread goes on; errno is lost. */
export function waitingFunction(prototype: string): (...values: Argument[]) => Promise<number> {
  let found: KoffiFunction | undefined;
  return (...values) => {
    found ??= loaded().load(null).func(prototype);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    found.async(...values, (error, result) => (error === null ? resolve(result) : reject(error)));
    return promise;
  };
}

/** Of the last call on this thread. */
export function lastErrno(): number {
  return loaded().errno();
}
