/** A terminal of tests: collects what is printed. */
import { PassThrough } from "node:stream";
import { type InterruptSignal, Interrupts } from "../output/interrupts.ts";
import type { Terminal } from "../output/terminal.ts";

export interface FakeTerminal extends Terminal {
  readonly printed: () => string;
  readonly errors: () => string;
  readonly bytes: () => Buffer;
  /** Ctrl-C, unless another signal is named. */
  readonly interrupt: (signal?: InterruptSignal) => void;
  /** The process ends, without a word. */
  readonly exitNow: () => void;
  readonly stdin: PassThrough & { isTTY?: boolean };
}

export interface FakeTerminalOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  /** What standard input holds; without it, nothing comes and it stays open. */
  readonly input?: string | Uint8Array;
}

export function fakeTerminal(options: FakeTerminalOptions = {}): FakeTerminal {
  const { tty = false, environment = {}, input } = options;
  const [stdout, printed] = collector(tty);
  const [stderr, errors] = collector(tty);
  const stdin = Object.assign(new PassThrough(), { isTTY: tty });
  if (input !== undefined) stdin.end(input);
  const atExit = new Set<() => void>();
  const interrupts = new Interrupts(() => undefined);
  return {
    environment,
    stdin,
    stdout,
    stderr,
    signal: interrupts.signal,
    takeInterrupt: interrupts.take,
    atExit: (work) => {
      atExit.add(work);
      return { [Symbol.dispose]: () => atExit.delete(work) };
    },
    exitNow: () => {
      for (const work of atExit) work();
    },
    now: Date.now,
    printed: () => Buffer.concat(printed).toString(),
    errors: () => Buffer.concat(errors).toString(),
    bytes: () => Buffer.concat(printed),
    interrupt: (signal = "SIGINT") => interrupts.arrived(signal),
  };
}

function collector(tty: boolean) {
  const chunks: Buffer[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY: tty, columns: 80, rows: 24 });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return [stream, chunks] as const;
}
