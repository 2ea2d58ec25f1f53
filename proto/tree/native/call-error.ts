import { constants } from "node:os";
import { HpsError } from "../../values/hps-error.ts";
import { lastErrno } from "./library.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .toReversed()
    .map(([name, value]) => [value, name]),
);

/** A system call that the kernel refused; `code` is the errno's name, as in Node's own errors. */
export class CallError extends Error {
  readonly code: string;
  readonly call: string;

  constructor(call: string, errno: number) {
    const code = NAMES.get(errno) ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.name = "CallError";
    this.code = code;
    this.call = call;
  }
}

/** What a C function gave, unless it is -1: then errno is thrown as a `CallError`. */
export function checked(call: string, result: number): number {
  if (result === -1) throw new CallError(call, lastErrno());
  return result;
}

/** The errno's name of a `CallError` or of an error of Node's; undefined for any other. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error instanceof HpsError ? undefined : error.code;
}
